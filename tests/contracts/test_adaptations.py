"""What every adaptation of conf/adaptation promises; a new yaml is tested without an edit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from metastruct.adaptation.adaptation import Adaptation, Prior
from metastruct.config.facts import facts_of
from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.derivatives import Derivatives
from metastruct.running.assembly import component

TASKS, POINTS, STEPS = 4, 12, 40
OBJECTIVE = Derivatives()


@pytest.fixture(scope="module")
def cfg(small, any_adaptation, accepted):
    settings = {"evaluation__steps": STEPS, "locality__lambda_z": 1e-4, "modulation__scale": 0.3}
    settings |= {"adaptation__steps": STEPS, "adaptation__learning_rate": 0.03, "adaptation__rate_factor": 0.01}
    settings |= {"adaptation__precision": "double"}
    return small(*accepted("adaptation", any_adaptation), **settings)


@pytest.fixture(scope="module")
def adaptation(cfg) -> Adaptation:
    return component(cfg.adaptation)


@pytest.fixture(scope="module")
def model(cfg, random_model) -> ModulatedModel:
    return random_model(cfg, gain=3.0)


@pytest.fixture(scope="module")
def support(model) -> tuple[Observations, torch.Tensor]:
    """States with derivatives that codes near to the start explain, and starts."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(TASKS, POINTS, 2, generator=generator, dtype=torch.float64)
    start, offset = 0.3 * torch.randn(2, TASKS, model.code_dim, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        return Observations(x, model.vector_field(x, start + offset)), start


def test_codes_and_trace_have_the_stated_shapes(cfg, adaptation, model, support):
    fit = adaptation.fit(model, OBJECTIVE, *support)
    assert fit.codes.shape == (TASKS, model.code_dim)
    assert fit.trace.shape == (cfg.adaptation.get("steps", 1) + 1, TASKS)
    assert not fit.codes.requires_grad
    assert not fit.trace.requires_grad


def test_trace_begins_and_ends_with_the_losses_of_the_first_and_the_last_codes(adaptation, model, support):
    observations, start = support
    fit = adaptation.fit(model, OBJECTIVE, observations, start)
    with torch.no_grad():
        for losses, codes in ((fit.trace[0], start), (fit.trace[-1], fit.codes)):
            torch.testing.assert_close(losses, OBJECTIVE.loss(model, observations, codes))


def test_loss_of_every_task_falls_on_an_easy_problem(adaptation, model, support):
    trace = adaptation.fit(model, OBJECTIVE, *support).trace
    assert (trace[-1] < 0.7 * trace[0]).all()
    assert (trace[len(trace) // 2] < trace[0]).all()


@pytest.mark.few(2)
def test_fit_of_many_tasks_is_as_many_fits_of_one(adaptation, model, support):
    fit = adaptation.fit(model, OBJECTIVE, *support)
    alone = [slice(k, k + 1) for k in range(TASKS)]
    single = [adaptation.fit(model, OBJECTIVE, support[0].of(one), support[1][one]) for one in alone]
    torch.testing.assert_close(fit.codes, torch.cat([one.codes for one in single]), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(fit.trace, torch.cat([one.trace for one in single], dim=1), rtol=1e-9, atol=1e-10)


def test_shuffled_tasks_permute_the_fit(adaptation, model, support):
    order = torch.tensor([2, 0, 3, 1])
    fit = adaptation.fit(model, OBJECTIVE, *support)
    shuffled = adaptation.fit(model, OBJECTIVE, support[0].of(order), support[1][order])
    torch.testing.assert_close(fit.codes[order], shuffled.codes, rtol=1e-9, atol=1e-10)


def test_a_task_that_turns_into_nan_does_not_stop_the_others(adaptation, model, support):
    observations, start = support
    dxdt = observations.derivatives.clone()
    dxdt[1] = float("nan")
    broken = replace(observations, derivatives=dxdt)
    fit, expected = adaptation.fit(model, OBJECTIVE, broken, start), adaptation.fit(model, OBJECTIVE, *support)
    others = [0, 2, 3]
    assert not fit.trace[:, 1].isfinite().any()
    torch.testing.assert_close(fit.codes[others], expected.codes[others], rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(fit.trace[:, others], expected.trace[:, others], rtol=1e-9, atol=1e-10)


def test_the_model_and_the_start_are_left_as_they_were(adaptation, model, support):
    state, start = {name: value.clone() for name, value in model.state_dict().items()}, support[1].clone()
    adaptation.fit(model, OBJECTIVE, *support)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert torch.equal(support[1], start)


def test_the_model_can_still_be_trained_after_a_fit_that_failed(adaptation, model, support):
    observations, start = support
    broken = replace(observations, derivatives=observations.derivatives[:, :-1])
    with pytest.raises((RuntimeError, IndexError)):
        adaptation.fit(model, OBJECTIVE, broken, start)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_what_was_frozen_before_stays_frozen(adaptation, model, support):
    frozen = next(model.parameters()).requires_grad_(False)
    adaptation.fit(model, OBJECTIVE, *support)
    assert not frozen.requires_grad
    frozen.requires_grad_(True)


def test_a_start_at_zero_gives_finite_codes(adaptation, model, support):
    observations, start = support
    fit = adaptation.fit(model, OBJECTIVE, observations, torch.zeros_like(start))
    assert fit.codes.isfinite().all()
    assert fit.trace.isfinite().all()


def test_a_fit_works_where_gradients_are_switched_off(adaptation, model, support):
    with torch.no_grad():
        silent = adaptation.fit(model, OBJECTIVE, *support)
    torch.testing.assert_close(silent.codes, adaptation.fit(model, OBJECTIVE, *support).codes, rtol=1e-9, atol=1e-10)


def test_a_covariance_comes_with_a_prior_only_where_the_yaml_says_so_and_is_one(cfg, adaptation, model, support):
    assert adaptation.fit(model, OBJECTIVE, *support).covariance is None
    prior = Prior.of(support[1], torch.full((2,), 0.1, dtype=torch.float64))
    covariance = adaptation.fit(model, OBJECTIVE, *support, prior).covariance
    assert (covariance is not None) == facts_of("adaptation", cfg.adaptation.name).provides.get("posterior", False)
    if covariance is not None:
        assert covariance.shape == (TASKS, model.code_dim, model.code_dim)
        assert (torch.linalg.eigvalsh(covariance) > 0).all()
