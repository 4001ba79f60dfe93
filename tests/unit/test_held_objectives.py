"""Inputs that are held jump between samples: the true law leaves next to nothing where an objective knows of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_driven_members import STIFFNESS, Model, member

from metastruct.data.recordings import Recordings
from metastruct.data.shots import whole
from metastruct.objectives.objective import Objective
from metastruct.objectives.rollout import Rollout
from metastruct.objectives.weak import Weak
from metastruct.objectives.whitening import inputs_at_nodes

CODES = torch.tensor(STIFFNESS, dtype=torch.float64)[:, None]


def left(objective: Objective, held: bool, aware: bool) -> float:
    """The mean square of the residual of the true law."""
    members = [member(k, [120], held, True) for k in STIFFNESS]
    settled = objective.settled(Recordings(members, torch.float64, held=aware))
    again = settled.learned(settled.numbers, torch.full((2,), 1e-8, dtype=torch.float64))  # as a model file has it
    observed = whole(members, again.request)
    return float(again.residual(Model(blind=False), observed, CODES).square().mean())


@pytest.mark.parametrize(
    "objective", [Weak(6, 6, 3e-3), Rollout(4, 4, "fitted", 3e-3)], ids=lambda one: type(one).__name__
)
def test_the_true_law_leaves_little_where_the_objective_knows_how_inputs_go_on(objective):
    assert left(objective, True, True) < 0.1 * left(objective, True, False)
    assert left(objective, False, False) < 0.2 * left(objective, False, True)


def test_means_of_held_inputs_are_those_of_their_integral():
    inputs = torch.from_numpy(np.random.default_rng(0).normal(size=(31, 1)))
    for half in (6, 10, 15):
        weak = Weak(half, 6, 3e-3)
        weak.held = True
        fine = np.repeat(inputs.numpy()[:-1], 2)  # two halves of each stretch
        nodes = inputs_at_nodes(inputs, weak.every, weak.held)[:, 0].numpy()
        for k, value in enumerate(nodes):
            middle = 2 * k * weak.every
            part = fine[max(0, middle - weak.every) : middle + weak.every]
            assert value == pytest.approx(part.mean())
        assert len(nodes) == 1 + 30 // weak.every
