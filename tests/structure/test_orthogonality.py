"""Bases that are orthonormal by construction stay so to round-off; those that a penalty holds do not."""

from __future__ import annotations

import copy

import pytest
import torch

from metastruct.learners.learner import Learner
from metastruct.modulation.low_rank import DiagonalUpdate
from metastruct.running.assembly import build_learner


@pytest.fixture
def trained(small, oscillators):
    """A learner in float64 after a few outer steps at a large rate."""

    def made(exact: bool) -> Learner:
        settings = {"net__width": 8, "modulation__rank": 3, "modulation__exact": exact, "trainer__steps": 10}
        rates = {"optimizer__base_rate": 0.03, "optimizer__code_rate": 0.03}
        cfg = small("modulation=svd", "optimizer=adam", "locality=none", **settings, **rates)
        learner = build_learner(cfg, oscillators(4, 20)).double()
        learner.configure_optimizers()
        for step in range(10):
            learner.outer_update(step)
        return learner

    return made


def defect(learner: Learner) -> float:
    return learner.model.modulation.diagnostics(learner.codes)["orthogonality_defect"]


def test_exact_bases_stay_orthonormal_in_training(trained):
    assert defect(trained(exact=True)) < 1e-14


def test_a_penalty_does_not_keep_them_orthonormal(trained):
    assert defect(trained(exact=False)) > 1e-4


def test_exact_bases_move_and_have_no_penalty(trained):
    learner = trained(exact=True)
    begun = {name: basis.detach() for name, basis in learner.model.modulation.left.items()}
    learner.outer_update(0)
    moved = [float((learner.model.modulation.left[name] - basis).detach().abs().max()) for name, basis in begun.items()]
    assert min(moved) > 1e-4
    assert learner.model.modulation.penalty() == 0.0


def test_exact_bases_survive_their_state(trained, small):
    one = trained(exact=True)
    other = copy.deepcopy(one)
    other.outer_update(0)
    other.load_state_dict(one.state_dict())
    for a, b in zip(one.model.modulation.left.values(), other.model.modulation.left.values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_exact_bases_take_a_leading_axis_of_replicas(trained):
    learners = [trained(exact=True), trained(exact=True)]
    learners[1].outer_update(0)
    codes = torch.randn(
        2, 4, learners[0].model.code_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    states = [dict(learner.model.modulation.state_dict()) for learner in learners]
    stacked = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    both = torch.func.functional_call(learners[0].model.modulation, stacked, (codes,))
    for i, learner in enumerate(learners):
        alone = learner.model.modulation(codes[i])
        for site, update in alone.items():
            if isinstance(update, DiagonalUpdate):
                zero = torch.zeros(len(update.left), len(update.right), dtype=torch.float64)
                torch.testing.assert_close(both[site].dense(zero)[i], update.dense(zero), rtol=1e-12, atol=1e-12)
