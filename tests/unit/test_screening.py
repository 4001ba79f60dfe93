"""Where fits begin: each task as if it were alone, however the tasks beside it fill it up."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.jacobian import Residual
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.adaptation.screening import screened
from metastruct.data.observations import Observations
from metastruct.objectives.derivatives import Derivatives
from metastruct.objectives.glimpse import glimpse
from metastruct.objectives.objective import Objective

CODE, LENGTHS = 3, [3, 80, 9, 17, 8, 1, 24]
OBJECTIVE = Derivatives()


class Pairs(Objective):
    """Derivative matching of two consecutive samples at a time."""

    reads, window = Derivatives.reads, 2

    def residual(self, model, observations, codes):
        return OBJECTIVE.residual(model, observations, codes)


def draws(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def curved(small, random_model):
    return random_model(small("modulation=svd"), gain=3.0)


@pytest.fixture(scope="module")
def prior() -> Prior:
    return Prior.of(3 * draws(25, CODE, seed=8), torch.tensor([1e-3, 2e-3], dtype=torch.float64))


def ragged(model, lengths=LENGTHS, window: int = 1) -> Observations:
    """So many windows of each task, filled up with numbers that explain nothing."""
    lengths = [window * length for length in lengths]
    x, codes = draws(len(lengths), max(lengths), 2), 2 * draws(len(lengths), CODE, seed=2)
    with torch.no_grad():
        y = model.vector_field(x, codes)
    y = y + 0.3 * draws(*y.shape, seed=3)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return Observations(torch.where(mask[..., None], x, 5.0), torch.where(mask[..., None], y, -7.0), mask=mask)


def alone(observations: Observations, task: int, length: int) -> Observations:
    part = observations.of(slice(task, task + 1))
    return Observations(part.states[:, :length], part.derivatives[:, :length])


@pytest.mark.parametrize("objective", [OBJECTIVE, Pairs()], ids=["points", "pairs"])
def test_a_ragged_batch_begins_and_ends_where_each_task_alone_does(curved, prior, objective):
    observations = ragged(curved, window=objective.window)
    start = prior.mean.expand(len(LENGTHS), -1)
    with torch.no_grad():
        together = screened(Residual(curved, objective, observations), start, prior, 16, 8)
    fit = LevenbergMarquardt(20).fit(curved, objective, observations, start, prior)
    assert fit.converged.sum() >= len(LENGTHS) - 1
    for task, length in enumerate(LENGTHS):
        single = alone(observations, task, length * objective.window)
        with torch.no_grad():
            begin = screened(Residual(curved, objective, single), start[:1], prior, 16, 8)
        torch.testing.assert_close(begin[0], together[task], rtol=0, atol=0)
        one = LevenbergMarquardt(20).fit(curved, objective, single, start[:1], prior)
        torch.testing.assert_close(one.codes[0], fit.codes[task], rtol=1e-9, atol=1e-10)
        assert one.converged[0] == fit.converged[task]
        torch.testing.assert_close(one.covariance[0], fit.covariance[task], rtol=1e-8, atol=1e-12)


def test_what_fills_up_would_move_the_starts_if_it_counted(curved, prior):
    """The control: the same batch without its mask begins elsewhere."""
    observations, start = ragged(curved), prior.mean.expand(len(LENGTHS), -1)
    with torch.no_grad():
        right, wrong = (
            screened(Residual(curved, OBJECTIVE, each), start, prior, 16, 8)
            for each in (observations, replace(observations, mask=None))
        )
    assert (right != wrong).any(-1).sum() >= len(LENGTHS) // 2


def test_points_of_a_glimpse_are_spread_over_those_that_a_task_has():
    lengths = torch.tensor(LENGTHS)
    mask = torch.arange(80) < lengths[:, None]
    x = torch.arange(80.0).expand(len(LENGTHS), -1)[..., None]
    few, share = glimpse(Observations(x, mask=mask), 1, 8)
    for task, length in enumerate(LENGTHS):
        seen = few.states[task, few.mask[task], 0].tolist()
        assert len(set(seen)) == len(seen) == min(8, length)
        assert seen[0] == 0
        assert seen[-1] == length - 1 or length == 1
        assert share[task] == min(8, length) / length


def test_masked_windows_may_lie_anywhere():
    mask = torch.tensor([[True, True, False, False, True, True], [False, False, True, True, True, True]])
    x = torch.arange(6.0).expand(2, -1)[..., None]
    few, share = glimpse(Observations(x, mask=mask), 2, 4)
    assert few.states[..., 0].tolist() == [[0, 1, 4, 5], [2, 3, 4, 5]]
    assert few.mask.all()
    assert share.tolist() == [1, 1]


def test_the_misfit_of_a_few_points_weighs_as_that_of_all(curved):
    """A task of many points rules its start, one of few leaves it to the prior, in one batch as alone."""
    codes = torch.stack([torch.zeros(CODE), 2 * torch.ones(CODE)]).double()
    noise = torch.full((2,), 0.1).double()
    prior = Prior(codes[0], 0.05 * torch.eye(CODE).double(), noise, codes, noise)
    x = draws(1, 400, 2).expand(2, -1, -1)
    with torch.no_grad():
        y = curved.vector_field(x, codes[[1, 1]])
        mask = torch.arange(400) < torch.tensor([[400], [1]])
        residual = Residual(curved, OBJECTIVE, Observations(x, y, mask=mask))
        chosen = screened(residual, codes[:1].expand(2, -1), prior, 16, 8)
    torch.testing.assert_close(chosen, codes[[1, 0]])
