"""What is fitted on another device stays there: found without one, by tensors that only pretend."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from elsewhere import ELSEWHERE, Elsewhere, There

from metastruct.adaptation import error_bars
from metastruct.adaptation.adaptation import Fit, Prior
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.data.observations import Observations
from metastruct.objectives.derivatives import Derivatives
from metastruct.running.assembly import component

TASKS, POINTS = 3, 10


@pytest.fixture
def away():
    with Elsewhere():
        yield lambda values: values.to(ELSEWHERE)


def problem(model, ragged: bool) -> tuple[Observations, torch.Tensor, Prior]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(TASKS, POINTS, 2, generator=generator, dtype=torch.float64)
    codes = 0.3 * torch.randn(TASKS, model.code_dim, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        y = model.vector_field(x, codes)
    mask = torch.arange(POINTS) < torch.tensor([[10], [4], [7]]) if ragged else None
    prior = Prior.of(codes + 0.1, torch.full((2,), 0.01, dtype=torch.float64))
    return Observations(x, y, mask=mask), torch.zeros_like(codes), prior


@pytest.mark.few(2)
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("given", [False, True], ids=["alone", "prior"])
def test_every_adaptation_stays_where_its_model_is(small, random_model, accepted, any_adaptation, away, ragged, given):
    few = {"adaptation__steps": 3, "evaluation__steps": 3, "adaptation__rate_factor": 0.01}
    few["adaptation__precision"] = "double"  # such a model cannot be taken to another precision
    cfg = small(*accepted("adaptation", any_adaptation), modulation__scale=0.3, **few)
    model, adaptation = random_model(cfg, gain=3.0), component(cfg.adaptation)
    observations, start, prior = problem(model, ragged)
    expected = adaptation.fit(model, Derivatives(), observations, start, prior if given else None)
    model = model.to(ELSEWHERE)
    fit = adaptation.fit(
        model, Derivatives(), observations.to(ELSEWHERE), away(start), prior.to(ELSEWHERE) if given else None
    )
    for part in (fit.codes, fit.trace, fit.covariance, fit.converged):
        assert part is None or isinstance(part, There)
    torch.testing.assert_close(fit.codes.cpu(), expected.codes, rtol=1e-9, atol=1e-9)


def by_differences(function, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A Jacobian without forward mode, whose tensors cannot pretend."""
    with torch.no_grad():
        values = function(codes)
        steps = 1e-6 * torch.eye(codes.shape[-1], dtype=codes.dtype, device=codes.device)
        return values, torch.stack([(function(codes + step) - values) / 1e-6 for step in steps], -1)


@pytest.mark.parametrize("stays", ["", "covariance", "prior"])
@pytest.mark.parametrize("energy", [False, True], ids=["field", "energy"])
def test_error_bars_stay_there(small, random_model, away, monkeypatch, energy, stays):
    """And what stays behind is found."""
    monkeypatch.setattr(error_bars, "with_jacobian", by_differences)
    model = random_model(small("modulation=svd"), gain=3.0)
    observations, start, prior = problem(model, False)
    x, codes, covariance = away(observations.states), away(start), prior.covariance.expand(TASKS, -1, -1)
    posterior = (covariance if stays == "covariance" else away(covariance), prior)
    posterior = posterior if stays == "prior" else (posterior[0], prior.to(ELSEWHERE))
    model = model.to(ELSEWHERE)
    places = (x, x + 1) if energy else (x,)
    bars = error_bars.energy_difference if energy else error_bars.error_bar
    if stays:
        with pytest.raises(RuntimeError, match="same device"):
            bars(model, *places, Fit(codes, codes, posterior[0]), posterior[1])
    else:
        assert all(
            isinstance(part, There) for part in bars(model, *places, Fit(codes, codes, posterior[0]), posterior[1])
        )


def test_what_forgets_its_device_is_found(small, random_model, away):
    """The control: the count of a mask, the prior or the start that stayed behind."""
    model = random_model(small("modulation=svd"), gain=3.0)
    observations, start, prior = problem(model, True)
    model, elsewhere = model.to(ELSEWHERE), observations.to(ELSEWHERE)
    for pieces in (
        (replace(elsewhere, mask=observations.mask), away(start), prior.to(ELSEWHERE)),
        (elsewhere, away(start), prior),
        (elsewhere, start, prior.to(ELSEWHERE)),
    ):
        with pytest.raises(RuntimeError, match="same device"):
            LevenbergMarquardt(3).fit(model, Derivatives(), *pieces)
