"""Algorithm 2 written out a second time: one task after another, dense matrices, nested autograd, Adam by hand."""

from __future__ import annotations

import math

import pytest
import torch
from reference import LazyAdam, Reference, norm_of, numbers_of

from metastruct.adaptation.adaptation import Fit
from metastruct.adaptation.gradient import GradientDescent
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.data.observations import Observations
from metastruct.objectives.derivatives import Derivatives
from metastruct.recording import recorded

TASKS, POINTS, STEPS, RATE, LAMBDA_Z = 3, 6, 8, 0.05, 0.02
METHODS = {"shift": 0, "full_weight": 0, "rank_one": 1, "multi_rank": 2, "svd": 2}


@pytest.mark.few(4)
@pytest.mark.parametrize("start", ["anywhere", "zero"])
@pytest.mark.parametrize("method", METHODS)
def test_fit_ends_with_the_codes_of_a_loop_over_tasks(small, random_model, method, start):
    rank = {"modulation__rank": METHODS[method]} if METHODS[method] else {}
    model = random_model(
        small(f"modulation={method}", net__width=5, net__activation="silu", modulation__scale=0.3, **rank), gain=3.0
    )
    generator = torch.Generator().manual_seed(1)
    x, dxdt = torch.randn(2, TASKS, POINTS, 2, generator=generator, dtype=torch.float64)
    codes = torch.randn(TASKS, 3, generator=generator, dtype=torch.float64) * (start != "zero")
    fit = GradientDescent(STEPS, RATE, LAMBDA_Z).fit(model, Derivatives(), Observations(x, dxdt), codes)

    reference, numbers = Reference(model, method, METHODS[method], width=5, depth=3), numbers_of(model)
    for k in range(TASKS):
        adam, own, losses = LazyAdam(0.9, 0.999), {k: codes[k].clone()}, []
        for step in range(STEPS):
            z = own[k].clone().requires_grad_()
            loss = reference.task_loss(numbers, x[k], dxdt[k], z)
            losses.append(float(loss.detach()))
            (gradient,) = torch.autograd.grad(loss + LAMBDA_Z * norm_of([z]), z)
            adam.step(own, {k: gradient}, RATE * 0.5 * (1 + math.cos(math.pi * step / STEPS)))
        losses.append(float(reference.task_loss(numbers, x[k], dxdt[k], own[k]).detach()))
        torch.testing.assert_close(fit.codes[k], own[k], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(fit.trace[:, k], torch.tensor(losses, dtype=torch.float64), rtol=1e-6, atol=1e-8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("words", ["modulation=svd", "modulation=full_weight"])
@pytest.mark.parametrize("adaptation", [GradientDescent(STEPS, RATE, LAMBDA_Z), LevenbergMarquardt(20)])
def test_a_cuda_device_fits_the_same_codes(small, random_model, adaptation, words):
    model = random_model(small(words), gain=3.0)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(TASKS, POINTS, 2, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        dxdt = model.vector_field(x, torch.randn(TASKS, 3, generator=generator, dtype=torch.float64))
    start = torch.zeros(TASKS, 3, dtype=torch.float64)
    ours, theirs = (
        adaptation.fit(model.to(device), Derivatives(), Observations(x.to(device), dxdt.to(device)), start.to(device))
        for device in ("cuda", "cpu")
    )
    torch.testing.assert_close(ours.codes.cpu(), theirs.codes, rtol=1e-6, atol=1e-8)


def test_a_larger_lambda_z_keeps_codes_nearer_to_zero(small, random_model):
    model = random_model(small("modulation=svd"), gain=3.0)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(TASKS, POINTS, 2, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        dxdt = model.vector_field(x, torch.randn(TASKS, 3, generator=generator, dtype=torch.float64))
    start = torch.zeros(TASKS, 3, dtype=torch.float64)
    free, held = (
        GradientDescent(40, 0.05, weight).fit(model, Derivatives(), Observations(x, dxdt), start).codes
        for weight in (0.0, 10.0)
    )
    assert (held.norm(dim=-1) < 0.5 * free.norm(dim=-1)).all()


def fitted(small, random_model, precision: str, steps: int, optimizer: str = "adam") -> Fit:
    model = random_model(small("modulation=svd"), gain=3.0)
    generator = torch.Generator().manual_seed(1)
    x, dxdt = torch.randn(2, TASKS, POINTS, 2, generator=generator, dtype=torch.float64)
    start = torch.randn(TASKS, 3, generator=generator, dtype=torch.float64)
    descent = GradientDescent(steps, RATE, LAMBDA_Z, optimizer, precision)
    return descent.fit(model, Derivatives(), Observations(x, dxdt), start)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_steps_in_single_precision_are_those_in_double_up_to_its_round_off(small, random_model, optimizer):
    single, double = (fitted(small, random_model, precision, STEPS, optimizer) for precision in ("single", "double"))
    assert single.codes.dtype == single.trace.dtype == torch.float64
    torch.testing.assert_close(single.codes, double.codes, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(single.trace, double.trace, rtol=1e-4, atol=1e-5)
    assert (single.codes != double.codes).all()


@pytest.mark.parametrize("precision", ["single", "double"])
def test_steps_from_a_recording_are_those_without_one(monkeypatch, small, random_model, precision):
    made, record = [], recorded.recorded
    monkeypatch.setattr(recorded, "recorded", lambda *arguments: made.append(1) or record(*arguments))
    plain = fitted(small, random_model, precision, STEPS)
    assert not made
    monkeypatch.setattr(recorded, "PATIENCE", STEPS - 1)
    replayed = fitted(small, random_model, precision, STEPS)
    assert made
    torch.testing.assert_close(replayed.codes, plain.codes)  # which machines round differently
    torch.testing.assert_close(replayed.trace, plain.trace)
