"""Noise is told from misfit, and a member that training knows nothing of is told from one that it knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.agreement import _code_p_value, hull
from metastruct.adaptation.error_bars import error_bar
from metastruct.adaptation.gradient import GradientDescent
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.data.observations import Observations
from metastruct.objectives.derivatives import Derivatives

TASKS, POINTS, CODE = 60, 40, 3
LEVEL = torch.tensor([0.08, 0.06], dtype=torch.float64)
ERRORS = torch.tensor([0.04, 0.08], dtype=torch.float64)
MISFIT = torch.full((2,), 1e-6, dtype=torch.float64)


def draws(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def model(random_model, small):
    return random_model(small("modulation=shift"), gain=3.0)


@pytest.fixture(scope="module")
def prior(model) -> Prior:
    return Prior.of(0.5 * draws(200, model.code_dim, seed=0), MISFIT)


def members(model, noise: float, tasks: int = TASKS, points: int = POINTS) -> tuple[Observations, torch.Tensor]:
    """Observations with so many times the noise that is told where it is not zero, and the codes that made them."""
    codes, x = 0.5 * draws(tasks, model.code_dim, seed=1), draws(tasks, points, 2, seed=2)
    with torch.no_grad():
        y = model.vector_field(x, codes)
    seen = (x + noise * LEVEL * draws(*x.shape, seed=3), y + noise * ERRORS * draws(*x.shape, seed=4))
    told = {"noise": LEVEL.expand_as(x), "derivative_noise": ERRORS.expand_as(x)} if noise else {}
    return Observations(*seen, **told), codes


def objective(noise: torch.Tensor = MISFIT) -> Derivatives:
    return Derivatives().learned({}, noise)


def fitted(model, observations, prior, **settings):
    start = prior.mean.expand(len(observations), -1)
    return LevenbergMarquardt(30, **settings).fit(model, objective(), observations, start, prior)


def test_without_noise_nothing_is_whitened(model):
    observations, codes = members(model, 0.0)
    silent = replace(observations, noise=0 * observations.states, derivative_noise=0 * observations.states)
    for each in (observations, silent):
        assert objective().renewed(model, each, codes) is each


def test_little_noise_leaves_the_plain_residual(model):
    observations, codes = members(model, 1.0)
    small = replace(observations, noise=1e-9 + 0 * observations.states, derivative_noise=1e-9 + 0 * observations.states)
    whitened = objective().residual(model, objective().renewed(model, small, codes), codes).unflatten(-1, (-1, 2))
    plain = objective().residual(model, observations, codes).unflatten(-1, (-1, 2))
    torch.testing.assert_close(whitened.square().sum(-1), plain.square().sum(-1), rtol=1e-4, atol=0)


def test_whitened_residual_of_the_true_code_has_mean_square_one(model, prior):
    observations, codes = members(model, 0.25, points=200)
    levels = {"noise": observations.noise / 4, "derivative_noise": observations.derivative_noise / 4}
    observations = replace(observations, **levels)
    for count, low, high in ((1, 0.9, 1.1), (3, 0.9, 1.1)):
        known = observations
        for _ in range(count):
            known = objective().renewed(model, known, codes)
        squares = (objective().residual(model, known, codes) / MISFIT[0].sqrt()).square()
        assert low < squares.mean() < high
    without = replace(observations, noise=0 * observations.states)
    squares = objective().residual(model, objective().renewed(model, without, codes), codes) / MISFIT[0].sqrt()
    assert squares.square().mean() > 1.3  # the errors of the states count


def test_posterior_holds_the_code_under_noise_of_the_states(model, prior):
    """And not where nobody tells of that noise."""
    observations, codes = members(model, 1.0, tasks=200)
    fit = fitted(model, observations, prior)
    off = fit.codes - codes
    distance = (off[:, None] @ torch.linalg.inv(fit.covariance) @ off[..., None]).mean() / CODE
    assert 0.8 < distance < 1.3
    deaf = replace(observations, noise=0.01 * observations.noise)
    fit = fitted(model, deaf, prior)
    off = fit.codes - codes
    tight = torch.linalg.inv(torch.linalg.inv(fit.covariance) * fit.agreement.inflation[:, None, None])
    assert (off[:, None] @ torch.linalg.inv(tight) @ off[..., None]).mean() / CODE > 1.3


@pytest.mark.few(1)
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_strangers_are_told_and_members_are_not(model, prior, noise):
    observations, _ = members(model, noise)
    with torch.no_grad():
        misfit = MISFIT.sqrt() * model.dynamics.derivative_std * draws(*observations.states.shape, seed=5)
    observations = replace(observations, derivatives=observations.derivatives + misfit)
    assert fitted(model, observations, prior).agreement.strange.double().mean() <= 0.05
    for stranger in (
        replace(observations, derivatives=2.0 * draws(TASKS, POINTS, 2, seed=6)),
        replace(observations, derivatives=observations.derivatives + 2.0 * observations.states.flip(-1) ** 2),
    ):
        fit = fitted(model, stranger, prior)
        assert fit.agreement.strange.double().mean() >= 0.95
        assert (fit.agreement.scale > 10).double().mean() > 0.9


def test_noise_that_nobody_told_of_is_told_and_widens_the_bars(model, prior):
    observations, codes = members(model, 1.0)
    x = draws(TASKS, 20, 2, seed=7)
    with torch.no_grad():
        truth = model.vector_field(x, codes)
    silent = replace(observations, noise=0 * observations.noise, derivative_noise=0 * observations.noise)
    fit = fitted(model, silent, prior)
    assert fit.agreement.strange.all()
    mean, half = error_bar(model, x, fit, prior, 0.95)
    assert ((mean - truth).abs() < half).double().mean() > 0.95
    mean, half = error_bar(model, x, replace(fit, agreement=None), prior, 0.95)
    deaf = torch.linalg.inv(torch.linalg.inv(fit.covariance) * fit.agreement.inflation[:, None, None])
    mean, half = error_bar(model, x, replace(fit, agreement=None, covariance=deaf), prior, 0.95)
    assert ((mean - truth).abs() < half).double().mean() < 0.5


def test_hull_distance_is_nothing_between_the_codes_and_that_to_a_face_outside():
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    unit = torch.eye(2, dtype=torch.float64)
    prior = Prior(torch.zeros(2, dtype=torch.float64), 4 * unit, MISFIT, corners, MISFIT)
    places = torch.tensor([[0.3, -0.9], [3.0, 0.5], [2.0, 2.0]], dtype=torch.float64)
    np.testing.assert_allclose(hull(places, prior), [0.0, 1.0, 0.5**0.5], atol=1e-5)


def test_codes_outside_of_those_of_training_are_told_and_those_between_are_not(model):
    generator = torch.Generator().manual_seed(0)
    known, fresh = (2 * torch.rand(n, CODE, dtype=torch.float64, generator=generator) - 1 for n in (70, 400))
    prior = Prior.of(known, MISFIT)
    p_values = _code_p_value(hull(fresh, prior), prior)
    assert (p_values < 0.02).mean() <= 0.05
    assert (_code_p_value(hull(2.5 * torch.sign(fresh), prior), prior) < 0.02).mean() > 0.95
    few = Prior.of(known[: CODE + 1], MISFIT)
    assert (_code_p_value(hull(2.5 * fresh, few), few) == 1).all()


def test_a_base_that_was_trained_on_noise_errs_normally(model, prior):
    observations, _ = members(model, 0.0, tasks=8)
    start = prior.mean.expand(8, -1)
    exact, noisy = (
        LevenbergMarquardt(30).fit(model, Derivatives().learned(numbers, MISFIT), observations, start, prior)
        for numbers in ({}, {"noise_0": 0.05, "noise_1": 0.05})
    )
    assert (noisy.agreement.freedom > exact.agreement.freedom).all()
    assert (noisy.agreement.core > exact.agreement.core).all()


def test_members_that_drown_in_noise_are_told(model, prior):
    observations, _ = members(model, 1.0)
    for share, told in ((0.2, False), (0.6, True)):
        loud = share * model.dynamics.state_std.expand_as(observations.states)
        states = observations.states + loud * draws(*observations.states.shape, seed=9)
        fit = fitted(model, replace(observations, states=states, noise=loud), prior)
        assert (fit.agreement.strange.double().mean() > 0.95) == told


def test_an_error_that_all_members_share_is_not_scaled_by_what_one_of_them_leaves(model, prior):
    observations, _ = members(model, 0.0)
    with torch.no_grad():
        misfit = 3 * MISFIT.sqrt() * model.dynamics.derivative_std * draws(*observations.states.shape, seed=5)
    observations = replace(observations, derivatives=observations.derivatives + misfit)
    alike = Prior.of(prior.codes, MISFIT, MISFIT, 99 * MISFIT)
    torch.testing.assert_close(alike.misfit, MISFIT)
    alone, shared = (fitted(model, observations, each).agreement.scale for each in (prior, alike))
    assert alone.median() > 3
    torch.testing.assert_close(shared, 0.99 + 0.01 * alone)


@pytest.mark.few(1)
@pytest.mark.parametrize("robust", ["huber", "student"])
def test_outliers_lose_their_weight(model, prior, robust):
    observations, codes = members(model, 0.0)
    outlying = torch.zeros(TASKS, POINTS, 2, dtype=torch.float64)
    outlying[:, ::8] = 3.0
    noisy = replace(
        observations, derivatives=observations.derivatives + outlying + 0.01 * draws(TASKS, POINTS, 2, seed=8)
    )
    errors = [(fitted(model, noisy, prior, robust=name).codes - codes).norm(dim=-1).mean() for name in (None, robust)]
    assert errors[1] < 0.3 * errors[0]


def test_gradient_tells_whether_it_converged(model, prior):
    observations, _ = members(model, 0.0, tasks=4)
    start = prior.mean.expand(4, -1)
    assert GradientDescent(600, 0.05).fit(model, objective(), observations, start).converged.all()
    assert not GradientDescent(3, 0.01).fit(model, objective(), observations, start).converged.any()
