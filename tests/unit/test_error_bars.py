"""Error bars of a field say what their objective tells of dx/dt, and nothing that it does not tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from metastruct.adaptation.agreement import OF_CODE, Agreement
from metastruct.adaptation.error_bars import energy_difference, error_bar, variance
from metastruct.adaptation.jacobian import with_jacobian
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.data.observations import Observations
from metastruct.objectives.derivatives import Derivatives
from metastruct.objectives.objective import Objective
from metastruct.running.trained import Trained

NOISE = torch.tensor([0.04, 0.09], dtype=torch.float64)


class Size(Objective):
    """One number a point, |f| - |dx/dt|: no residual of a component of dx/dt."""

    reads = requires = ("states", "derivatives")

    def residual(self, model, observations, codes):
        sizes = [
            torch.linalg.vector_norm(values, dim=-1)
            for values in (model.vector_field(observations.states, codes), observations.derivatives)
        ]
        return sizes[0] - sizes[1]

    def components(self, state_dim: int) -> int:
        return 1


@pytest.fixture(scope="module")
def model(random_model, small):
    return random_model(small("modulation=shift"), gain=2.0)


def trained(model, objective: Objective, noise: torch.Tensor | None) -> Trained:
    codes = torch.randn(9, model.code_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return Trained(model, objective, 0.3 * codes, noise, 0.0, [(1, 0.1)], None)


@pytest.fixture(scope="module")
def observations() -> Observations:
    x = torch.randn(3, 20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return Observations(x, x.flip(-1) * torch.tensor([1.0, -1.0]))


@pytest.mark.parametrize("objective", [Derivatives(), Size()], ids=lambda objective: type(objective).__name__)
def test_a_training_without_codes_of_its_tasks_has_a_noise_of_one_for_each_kind_of_residual(model, objective):
    prior = trained(model, objective, None).prior()
    assert prior.noise.tolist() == [1.0] * objective.components(2)
    assert prior.field_noise.shape == (2,)


def bars(model, objective, noise, observations):
    prior = trained(model, objective, noise).prior()
    fit = LevenbergMarquardt(20).fit(model, objective, observations, prior.mean.expand(3, -1), prior)
    x = observations.states[:, :5]
    fit = replace(fit, agreement=None)
    _, std = error_bar(model, x, fit, prior)
    _, jacobian = with_jacobian(lambda codes: model.vector_field(x, codes), fit.codes)
    return prior, fit, x, std, variance(jacobian, fit.covariance).sqrt()


def test_the_noise_of_dxdt_is_added_where_the_residual_is_of_dxdt(model, observations):
    _, _, _, std, of_codes = bars(model, Derivatives(), NOISE, observations)
    expected = of_codes.square() + NOISE * model.dynamics.derivative_std.square()
    torch.testing.assert_close(std.square(), expected, rtol=1e-12, atol=0)


def test_another_residual_leaves_the_posterior_of_the_code_alone(model, observations):
    """The noise of its only component says nothing of the two of dx/dt."""
    prior, fit, x, std, of_codes = bars(model, Size(), NOISE[:1], observations)
    torch.testing.assert_close(std, of_codes, rtol=1e-12, atol=0)
    assert (std > 0).all()
    _, apart = energy_difference(model, x[:, 1:], x[:, :1], fit, prior)
    assert np.isfinite(apart).all()


@pytest.mark.parametrize(("share", "of_code"), [(0.0, 1.0), (1.0, OF_CODE)], ids=["noise", "misfit"])
def test_what_misfit_makes_of_the_code_cancels_in_part_and_what_noise_makes_of_it_does_not(
    model, observations, share, of_code
):
    prior, fit, x, _, std = bars(model, Derivatives(), NOISE, observations)
    one = torch.ones(3, dtype=torch.float64)
    verdict = Agreement(one, one, 1e9 * one, 0.5 * one, share * one, one, one)  # t of so much freedom is normal
    _, bar = error_bar(model, x, replace(fit, agreement=verdict), prior)
    misfit = 0.5 * NOISE * model.dynamics.derivative_std.square()
    expected = of_code * std.square() + misfit
    torch.testing.assert_close(bar.square(), expected, rtol=1e-6, atol=0)
