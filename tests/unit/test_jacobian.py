"""Ways to the derivatives of a residual, and how often a fit takes them."""

from __future__ import annotations

import pytest
import torch

from metastruct.adaptation import jacobian as jacobian_of
from metastruct.adaptation import levenberg_marquardt
from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.jacobian import PORTIONS, Residual, field_with_jacobian, with_jacobian
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.data.observations import Observations
from metastruct.dynamics.model import Single
from metastruct.objectives.derivatives import Derivatives

TASKS, POINTS, CODE = 4, 15, 3
OBJECTIVE = Derivatives()


def draws(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def a_prior(noise: float) -> Prior:
    """Of codes of spread one half, and residuals of the spread `noise`."""
    return Prior.of(0.5 * draws(20, CODE, seed=5), torch.full((2,), noise**2, dtype=torch.float64))


@pytest.fixture(scope="module")
def curved(small, random_model):
    """A model whose field is not affine in the code."""
    return random_model(small("modulation=svd"), gain=3.0)


def support(model, points: int = POINTS, noise: float = 0.0):
    """States and derivatives of members of the model, with noise in units of the derivatives' spread."""
    x, codes = draws(TASKS, points, 2), 0.4 * draws(TASKS, CODE, seed=2)
    with torch.no_grad():
        y = model.vector_field(x, codes)
    return x, y + noise * model.dynamics.derivative_std * draws(TASKS, points, 2, seed=3), codes


class Counting(Derivatives):
    """Derivative matching that notes how many points of each task it looks at, and whether a graph is made."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[tuple[int, bool]] = []

    def residual(self, model, observations, codes):
        self.passes.append((observations.states.shape[-2], torch.is_grad_enabled()))
        return super().residual(model, observations, codes)


def ragged_mask() -> torch.Tensor:
    return torch.arange(POINTS) < torch.tensor([15, 1, 8, 11])[:, None]


@pytest.mark.parametrize("name", ["svd", "geps", "full_weight", "multi_rank"])
@pytest.mark.parametrize("mask", [None, ragged_mask()], ids=["full", "ragged"])
def test_every_way_to_the_derivatives_of_a_residual_leads_to_the_same(small, random_model, name, mask):
    model = random_model(small(f"modulation={name}"), gain=3.0)
    x, y, codes = support(model)
    residual = Residual(model, OBJECTIVE, Observations(x, y, mask=mask))
    with torch.no_grad():
        values, jacobian = with_jacobian(residual, codes + 0.1)
        for spread, tolerance in ((None, 1e-12), (torch.tensor([1.0, 0.1, 10.0]).double(), 1e-4)):
            way = Residual(model, OBJECTIVE, residual.observations, spread)
            others = way.with_jacobian(codes + 0.1)
            torch.testing.assert_close(others[0], values, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(others[1], jacobian, rtol=tolerance, atol=tolerance)
            assert others[1].abs().max() > 0.01


@pytest.mark.parametrize("name", ["svd", "full_weight"])
def test_a_field_in_portions_has_the_derivatives_of_forward_mode(small, random_model, name, monkeypatch):
    model = random_model(small(f"modulation={name}"), gain=3.0)
    x, _, codes = support(model)
    monkeypatch.setitem(PORTIONS, "cpu", 7)
    field, jacobian = field_with_jacobian(model, x, codes)
    with torch.no_grad():
        theirs = with_jacobian(lambda z: model.vector_field(x, z), codes)
    torch.testing.assert_close((field, jacobian), theirs, rtol=1e-12, atol=1e-12)
    assert jacobian.shape == (*x.shape, CODE)
    assert jacobian.abs().max() > 0.01


def test_many_residuals_of_a_point_take_a_pass_for_each_number_of_the_code_in_portions(curved, monkeypatch):
    x, y, codes = support(curved)
    counting = Counting()
    residual = Residual(curved, counting, Observations(x, y, mask=ragged_mask()))
    with torch.no_grad():
        theirs = with_jacobian(residual, codes)
    counting.passes.clear()
    monkeypatch.setattr(jacobian_of, "MANY", 0.5)
    monkeypatch.setattr(jacobian_of, "USUAL", 1)
    monkeypatch.setitem(PORTIONS, "cpu", 14)  # 7 points of 2 components
    torch.testing.assert_close(residual.with_jacobian(codes), theirs, rtol=1e-12, atol=1e-12)
    assert counting.passes == TASKS * [(7, False), (7, False), (1, False)]


def test_residuals_in_portions_are_those_of_all_tasks_at_once(curved, monkeypatch):
    x, y, codes = support(curved)
    observations, counting = Observations(x, y, mask=ragged_mask()), Counting()
    ways = [Residual(curved, counting, observations, spread) for spread in (None, torch.ones_like(codes[0]))]

    def answers() -> list[torch.Tensor]:
        counting.passes.clear()
        with torch.no_grad():
            return [part for way in ways for part in (way(codes), *way.with_jacobian(codes))]

    at_once, calls = answers(), len(counting.passes)
    monkeypatch.setitem(PORTIONS, "cpu", 2 * POINTS)
    for part, whole in zip(answers(), at_once, strict=True):
        torch.testing.assert_close(part, whole, rtol=1e-6, atol=1e-6)
    assert len(counting.passes) > 2 * calls


def test_a_step_from_near_the_minimum_is_checked_and_not_linearised_again(curved):
    """One graph where the derivatives still hold after the step; more where they do not."""
    for noise, again in ((1e-3, False), (0.3, True)):
        x, y, codes = support(curved, points=100, noise=noise)
        counting, prior = Counting(), a_prior(noise)
        fit = LevenbergMarquardt(20, starts=0).fit(curved, counting, Observations(x, y), codes, prior)
        assert fit.converged.all()
        assert (sum(graph for _, graph in counting.passes) > 1) == again
        tight = LevenbergMarquardt(60, tolerance=1e-10, starts=0).fit(
            curved, OBJECTIVE, Observations(x, y), codes, prior
        )
        std = tight.covariance.diagonal(dim1=-2, dim2=-1).sqrt()
        assert 0.1 * std.max() < (codes - tight.codes).abs().max()
        assert ((fit.codes - tight.codes).abs() < 0.1 * std).all()
        spread = fit.covariance.diagonal(dim1=-2, dim2=-1).sqrt()
        torch.testing.assert_close(spread, std, rtol=0.1, atol=0)


def test_the_rough_fit_makes_no_graph(curved):
    x, y, _ = support(curved, points=100, noise=0.1)
    prior, counting = Prior.of(draws(12, CODE, seed=8), torch.full((2,), 0.01, dtype=torch.float64)), Counting()
    fit = LevenbergMarquardt(20).fit(curved, counting, Observations(x, y), prior.mean.expand(TASKS, -1), prior)
    assert fit.converged.all()
    few = [graph for points, graph in counting.passes if 1 < points <= 16]
    assert len(few) > 2
    assert not any(few)
    assert any(graph for _, graph in counting.passes)


def test_a_crowd_comes_near_in_single_precision_and_ends_where_each_task_does(curved, monkeypatch):
    x, y, _ = support(curved, points=100, noise=1e-3)
    prior, steps = a_prior(1e-3), LevenbergMarquardt(20)

    def fit():
        return steps.fit(curved, OBJECTIVE, Observations(x, y), prior.mean.expand(TASKS, -1), prior)

    apart, copies = fit(), []
    monkeypatch.setattr(levenberg_marquardt, "CROWD", TASKS)
    monkeypatch.setattr(levenberg_marquardt, "Single", lambda model: copies.append(Single(model)) or copies[0])
    crowd = fit()
    assert len(copies) == 1
    assert crowd.converged.all()
    std, ours = (each.covariance.diagonal(dim1=-2, dim2=-1).sqrt() for each in (apart, crowd))
    assert ((crowd.codes - apart.codes).abs() < 0.01 * std).all()
    torch.testing.assert_close(ours, std, rtol=1e-3, atol=0)


def test_no_states_have_no_field_and_no_derivatives(small, random_model):
    model = random_model(small())
    field, jacobian = field_with_jacobian(model, torch.zeros(1, 0, 2, dtype=torch.float64), torch.zeros(1, 3))
    assert (field.shape, jacobian.shape) == ((1, 0, 2), (1, 0, 2, 3))
