"""Levenberg-Marquardt and the closed form against scipy, against each other, and against what Bayes says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.closed_form import ClosedForm
from metastruct.adaptation.error_bars import energy_difference, error_bar
from metastruct.adaptation.gradient import GradientDescent
from metastruct.adaptation.jacobian import Residual, with_jacobian
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.adaptation.screening import screened
from metastruct.data.observations import Observations
from metastruct.modulation.low_rank import DiagonalUpdate
from metastruct.objectives.derivatives import Derivatives

TASKS, POINTS, CODE = 4, 15, 3
OBJECTIVE = Derivatives()
TIGHT = LevenbergMarquardt(60, tolerance=1e-10, starts=0)


def draws(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def a_prior(noise: float = 0.01, seed: int = 5) -> Prior:
    return Prior.of(0.5 * draws(20, CODE, seed=seed), torch.tensor([noise, 2 * noise], dtype=torch.float64))


@pytest.fixture(scope="module")
def curved(small, random_model):
    """A model whose field is not affine in the code."""
    return random_model(small("modulation=svd"), gain=3.0)


@pytest.fixture(scope="module")
def affine(small, random_model):
    return random_model(small("modulation=camel"), gain=3.0)


def support(model, points: int = POINTS, noise: float = 0.0, seed: int = 1):
    """States and derivatives of members of the model, with noise in units of the derivatives' spread."""
    x, codes = draws(TASKS, points, 2, seed=seed), a_prior().mean + 0.4 * draws(TASKS, CODE, seed=seed + 1)
    with torch.no_grad():
        y = model.vector_field(x, codes)
    return x, y + noise * model.dynamics.derivative_std * draws(TASKS, points, 2, seed=seed + 2), codes


def start() -> torch.Tensor:
    return a_prior().mean.expand(TASKS, -1)


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["svd", "shift", "geps", "camel", "full_weight", "multi_rank", "film"])
def test_jacobian_agrees_with_finite_differences(small, random_model, name):
    model = random_model(small(f"modulation={name}"), gain=3.0)
    x, codes, h = draws(TASKS, POINTS, 2), draws(TASKS, CODE, seed=2), 1e-5
    values, jacobian = with_jacobian(lambda z: model.vector_field(x, z), codes)
    with torch.no_grad():
        torch.testing.assert_close(values, model.vector_field(x, codes))
        for i, e in enumerate(h * torch.eye(CODE, dtype=torch.float64)):
            change = (model.vector_field(x, codes + e) - model.vector_field(x, codes - e)) / (2 * h)
            torch.testing.assert_close(jacobian[..., i], change, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("prior", [None, a_prior()], ids=["flat", "prior"])
def test_levenberg_marquardt_is_the_closed_form_where_the_field_is_affine(affine, prior):
    x, y, _ = support(affine, noise=0.1)
    ours, exact = (a.fit(affine, OBJECTIVE, Observations(x, y), start(), prior) for a in (TIGHT, ClosedForm()))
    torch.testing.assert_close(ours.codes, exact.codes, rtol=1e-6, atol=1e-6)  # the cost is flat to round-off there
    torch.testing.assert_close(ours.trace[-1], exact.trace[-1])
    assert (ours.covariance is None) == (prior is None)
    if prior is not None:
        torch.testing.assert_close(ours.covariance, exact.covariance, rtol=1e-6, atol=1e-12)


def test_closed_form_does_not_depend_on_where_it_starts(affine):
    x, y, _ = support(affine, noise=0.1)
    first = ClosedForm().fit(affine, OBJECTIVE, Observations(x, y), start(), a_prior())
    second = ClosedForm().fit(affine, OBJECTIVE, Observations(x, y), draws(TASKS, CODE, seed=9), a_prior())
    torch.testing.assert_close(first.codes, second.codes, rtol=1e-8, atol=1e-10)


def test_closed_form_refuses_a_field_that_is_not_affine(curved):
    x, y, _ = support(curved)
    with pytest.raises(ValueError, match=r"needs a field that is affine .* use an adaptation that takes steps"):
        ClosedForm().fit(curved, OBJECTIVE, Observations(x, y), start(), a_prior())


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("prior", [None, a_prior()], ids=["flat", "prior"])
def test_each_task_ends_where_scipy_ends(curved, prior, noise):
    x, y, _ = support(curved, noise=noise)
    fit = TIGHT.fit(curved, OBJECTIVE, Observations(x, y), start(), prior)
    root = None if prior is None else np.linalg.cholesky(np.linalg.inv(prior.covariance.numpy())).T
    for k in range(TASKS):

        def residuals(z: np.ndarray, k: int = k) -> np.ndarray:
            with torch.no_grad():
                field = curved.vector_field(x[k : k + 1], torch.from_numpy(z)[None])[0]
            r = (field - y[k]) / curved.dynamics.derivative_std
            if prior is None:
                return r.flatten().numpy()
            return np.concatenate([(r / prior.noise.sqrt()).flatten().numpy(), root @ (z - prior.mean.numpy())])

        theirs = least_squares(residuals, start()[k].numpy(), method="lm", xtol=1e-14, ftol=1e-14, gtol=1e-14)
        np.testing.assert_allclose(fit.codes[k].numpy(), theirs.x, rtol=1e-5, atol=1e-6)


def test_fit_of_many_tasks_is_as_many_fits_of_one_although_they_end_apart(curved):
    x, y, _ = support(curved, noise=0.1)
    adaptation = LevenbergMarquardt(20)
    many = adaptation.fit(curved, OBJECTIVE, Observations(x, y), start(), a_prior())
    steps = (many.trace.diff(dim=0) != 0).sum(0)
    assert steps.min() < steps.max()
    for k in range(TASKS):
        one = adaptation.fit(curved, OBJECTIVE, Observations(x[k : k + 1], y[k : k + 1]), start()[:1], a_prior())
        torch.testing.assert_close(one.codes[0], many.codes[k], rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(one.covariance[0], many.covariance[k], rtol=1e-6, atol=1e-12)


def test_more_data_shrink_the_posterior_in_every_direction(curved):
    x, y, _ = support(curved, points=160, noise=0.1)
    fits = [TIGHT.fit(curved, OBJECTIVE, Observations(x[:, :n], y[:, :n]), start(), a_prior()) for n in (1, 10, 160)]
    covariances = [fit.covariance for fit in fits]
    for fewer, more in zip([a_prior().covariance.expand(TASKS, -1, -1), *covariances], covariances, strict=False):
        assert (torch.linalg.eigvalsh(more) < torch.linalg.eigvalsh(fewer) + 1e-12).all()
    assert (covariances[-1].diagonal(dim1=-2, dim2=-1).sum(-1) < 0.15 * a_prior().covariance.trace()).all()


def test_posterior_holds_the_true_code_as_often_as_it_says(affine):
    """A linear Gaussian problem: codes from the prior, noise of the prior's variance, 400 tasks."""
    prior, many = a_prior(noise=0.05), 400
    root = torch.linalg.cholesky(prior.covariance)
    codes = prior.mean + draws(many, CODE, seed=3) @ root.mT
    x = draws(many, 6, 2, seed=4)
    with torch.no_grad():
        y = affine.vector_field(x, codes)
    y = y + prior.noise.sqrt() * affine.dynamics.derivative_std * draws(*y.shape, seed=5)
    fit = LevenbergMarquardt(20).fit(affine, OBJECTIVE, Observations(x, y), prior.mean.expand(many, -1), prior)
    std = fit.covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    assert 0.93 < ((fit.codes - codes).abs() < 1.96 * std).double().mean() < 0.97
    assert ((fit.codes - codes).abs() < 0.98 * std).double().mean() < 0.75
    # and new observations, noise and all, as often as the error bar of the field says
    new = draws(many, 6, 2, seed=6)
    with torch.no_grad():
        truth = affine.vector_field(new, codes)
    truth = truth + prior.noise.sqrt() * affine.dynamics.derivative_std * draws(*truth.shape, seed=7)
    mean, half = error_bar(affine, new, replace(fit, agreement=None), prior, 0.95)
    assert 0.93 < ((mean - truth).abs() < half).double().mean() < 0.97


def test_prior_rules_where_one_observation_is_mostly_noise(curved):
    x, y, _ = support(curved, points=1, noise=3.0)
    held = TIGHT.fit(curved, OBJECTIVE, Observations(x, y), start(), a_prior(noise=1e6))
    torch.testing.assert_close(held.codes, start().contiguous(), rtol=0, atol=1e-3)
    torch.testing.assert_close(held.covariance, a_prior().covariance.expand(TASKS, -1, -1), rtol=1e-3, atol=1e-5)
    free = TIGHT.fit(curved, OBJECTIVE, Observations(x, y), start(), a_prior(noise=1e-6))
    assert (free.codes - start()).norm(dim=-1).min() > 0.01


@pytest.mark.parametrize("prior", [None, a_prior()], ids=["flat", "prior"])
@pytest.mark.parametrize("adaptation", [LevenbergMarquardt(20), ClosedForm()], ids=["lm", "closed_form"])
def test_one_observation_for_three_numbers_gives_a_finite_code_and_a_smaller_loss(affine, adaptation, prior):
    x, y, _ = support(affine, points=1)
    fit = adaptation.fit(affine, OBJECTIVE, Observations(x, y), start(), prior)
    assert fit.codes.isfinite().all()
    assert (fit.trace[-1] < fit.trace[0]).all()


@pytest.mark.parametrize("adaptation", [LevenbergMarquardt(5), ClosedForm()], ids=["lm", "closed_form"])
def test_a_task_of_nans_keeps_its_start_and_harms_no_other(affine, adaptation):
    x, y, _ = support(affine, noise=0.1)
    clean = adaptation.fit(affine, OBJECTIVE, Observations(x, y), start(), a_prior())
    y = y.clone()
    y[1, 0, 0] = torch.nan
    fit = adaptation.fit(affine, OBJECTIVE, Observations(x, y), start(), a_prior())
    torch.testing.assert_close(fit.codes[1], start()[1])
    torch.testing.assert_close(fit.covariance[1], a_prior().covariance)
    assert fit.trace[-1, 1].isnan()
    torch.testing.assert_close(fit.codes[[0, 2, 3]], clean.codes[[0, 2, 3]], rtol=1e-8, atol=1e-10)


def test_screening_chooses_the_training_code_that_made_the_data(curved):
    codes = draws(12, CODE, seed=8)
    prior = Prior.of(codes, torch.full((2,), 1e-4, dtype=torch.float64))
    x = draws(TASKS, 40, 2)
    with torch.no_grad():
        y = curved.vector_field(x, codes[[3, 0, 11, 7]])
        residual = Residual(curved, OBJECTIVE, Observations(x, y))
        chosen = screened(residual, torch.zeros(TASKS, CODE, dtype=torch.float64), prior, 16, 8)
        torch.testing.assert_close(chosen, codes[[3, 0, 11, 7]])
        own = draws(TASKS, CODE, seed=9)
        residual = Residual(curved, OBJECTIVE, Observations(x, curved.vector_field(x, own)))
        torch.testing.assert_close(screened(residual, own, prior, 16, 8), own)


def test_screening_reaches_a_valley_that_the_start_does_not(curved):
    codes = 4 * draws(30, CODE, seed=8)
    prior = Prior.of(codes, torch.full((2,), 1e-4, dtype=torch.float64))
    x = draws(30, 40, 2)
    with torch.no_grad():
        y = curved.vector_field(x, codes + 0.1 * draws(30, CODE, seed=9))
    mean = prior.mean.expand(30, -1)
    observations = Observations(x, y)
    without, screening = (
        LevenbergMarquardt(20, starts=n).fit(curved, OBJECTIVE, observations, mean, prior) for n in (0, 16)
    )
    assert screening.trace[-1].max() < 1e-3
    assert without.trace[-1].max() > 1e-2


@pytest.mark.parametrize("codes", [torch.ones(1, 3), torch.ones(5, 3), torch.eye(3)[:2], draws(40, 1) * torch.ones(3)])
def test_prior_of_few_or_degenerate_codes_is_positive_definite(codes):
    prior = Prior.of(codes.double(), torch.ones(2, dtype=torch.float64))
    assert torch.linalg.eigvalsh(prior.covariance).min() > 1e-3
    torch.testing.assert_close(prior.mean, codes.double().mean(0))


def test_gradient_descent_has_no_covariance(curved):
    x, y, _ = support(curved)
    assert GradientDescent(2, 0.1).fit(curved, OBJECTIVE, Observations(x, y), start(), a_prior()).covariance is None


def test_error_of_an_energy_difference_is_symmetric_and_nothing_at_one_point(curved):
    x, y, _ = support(curved, noise=0.1)
    fit, prior = TIGHT.fit(curved, OBJECTIVE, Observations(x, y), start(), a_prior()), a_prior()
    a, b = draws(2, TASKS, 5, 2, seed=11)
    forth, back, none = (energy_difference(curved, *pair, fit, prior) for pair in ((a, b), (b, a), (a, a)))
    torch.testing.assert_close(forth[0], -back[0])
    torch.testing.assert_close(forth[1], back[1])
    assert none[1].abs().max() < 1e-12
    with torch.no_grad():
        torch.testing.assert_close(forth[0], curved.energy(a, fit.codes) - curved.energy(b, fit.codes))
    # a step of the size h changes the energy by h . dH/dx, so its error is h times that of the slope
    h = torch.tensor([1e-4, 0.0], dtype=torch.float64)
    _, small = energy_difference(curved, a + h, a, fit, prior)
    _, bar = error_bar(curved, a, fit, prior)
    torch.testing.assert_close(small, 1e-4 * bar[..., 1], rtol=1e-3, atol=0)


@pytest.mark.parametrize("dynamics", ["hamiltonian", "unstructured"])
def test_camel_is_affine_in_the_code_and_svd_is_not(small, random_model, dynamics):
    x, (a, b) = draws(1, 8, 2), draws(2, 1, CODE)
    defects = {}
    for name in ("camel", "svd"):
        model = random_model(small(f"modulation={name}", f"dynamics={dynamics}"), gain=3.0)
        with torch.no_grad():
            f = [model.vector_field(x, a + t * b) for t in (0.0, 1.0, 2.0)]
        defects[name] = float((f[0] - 2 * f[1] + f[2]).abs().max() / (f[1] - f[0]).abs().max())
    assert defects["camel"] < 1e-10 < 1e-3 < defects["svd"]


def test_geps_puts_the_same_code_into_every_layer(small, random_model):
    model = random_model(small("modulation=geps", net__depth=3))
    codes = draws(TASKS, CODE)
    updates = {name: u for name, u in model.modulation(codes).items() if isinstance(u, DiagonalUpdate)}
    assert len(updates) == 2
    for name, update in updates.items():
        a, b = (bases[name.replace(".", "_")] for bases in (model.modulation.left, model.modulation.right))
        change = update.dense(torch.zeros(6, 6, dtype=torch.float64))
        torch.testing.assert_close(change, torch.einsum("oc,kc,ic->koi", a, codes, b))
    for update in model.modulation(torch.zeros_like(codes)).values():
        assert update.shift.abs().max() == 0
        assert update.dense(torch.zeros(6, 6, dtype=torch.float64)).abs().max() == 0
    assert model.parameter_counts()["hypernetwork"] == 3 * 6 * CODE
