"""Order, step size and independence of every integrator of conf/integrator; what is symplectic and what is not."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from metastruct.assembly import component
from metastruct.config import CONF
from metastruct.integrators.integrator import Field, Integrator
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.systems.pendulum import Pendulum

YAMLS = sorted((CONF / "integrator").glob("*.yaml"))
PENDULUM = Pendulum({"m": [1, 1], "l": [1, 1], "q0": [0, 0]})
MU = np.array([[1.0, 1.0, 0.0]])
STARTS = torch.tensor([[[1.0, 0.5], [-1.5, 1.0], [0.2, -2.0]]], dtype=torch.float64)
J = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)


def make(path, **settings) -> Integrator:
    return component(OmegaConf.merge(OmegaConf.load(path), settings))


every_integrator = pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)


def pendulum(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([x[..., 1], -6 * torch.sin(x[..., 0])], dim=-1)


def oscillator(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([x[..., 1], -x[..., 0]], dim=-1)


def exact_pendulum(times: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(PENDULUM.solution(STARTS.numpy(), MU, times.numpy()))


def exact_oscillator(times: torch.Tensor) -> torch.Tensor:
    q, p = STARTS[..., :1], STARTS[..., 1:]
    return torch.stack([q * times.cos() + p * times.sin(), p * times.cos() - q * times.sin()], dim=-1)


@every_integrator
@pytest.mark.parametrize(
    ("field", "exact", "step"), [(pendulum, exact_pendulum, 0.05), (oscillator, exact_oscillator, 0.1)]
)
def test_error_falls_with_the_stated_order(path, field, exact, step):
    times = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    coarse = make(path, step_size=step)
    errors = [
        float((rollout(field, STARTS, times, scheme) - exact(times)).abs().max())
        for scheme in (coarse, coarse.finer(), coarse.finer().finer())
    ]
    for larger, smaller in pairwise(errors):
        assert math.log2(larger / smaller) == pytest.approx(coarse.order, abs=0.3)


@every_integrator
def test_rollout_returns_the_start_and_the_times_asked_for(path):
    times = torch.tensor([0.0, 0.013, 0.5, 0.57, 2.0], dtype=torch.float64)
    states = rollout(pendulum, STARTS, times, make(path, step_size=0.002))
    assert states.shape == (1, 3, 5, 2)
    torch.testing.assert_close(states[:, :, 0], STARTS, rtol=0, atol=0)
    torch.testing.assert_close(states, exact_pendulum(times), rtol=0, atol=1e-4)


@every_integrator
def test_finer_halves_the_step_and_leaves_the_original_alone(path):
    scheme = make(path, step_size=0.1)
    fine = scheme.finer()
    assert type(fine) is type(scheme)
    assert (scheme.step_size, fine.step_size) == (0.1, 0.05)


@every_integrator
@pytest.mark.parametrize("step", [0, -0.1, math.nan])
def test_a_step_that_is_not_above_zero_is_refused(path, step):
    with pytest.raises(ValueError, match=r"integrator\.step_size"):
        make(path, step_size=step)


@every_integrator
def test_a_trajectory_that_blows_up_does_not_touch_its_neighbours(path):
    def runaway(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[..., 1], x[..., 0] ** 3], dim=-1)

    times = torch.linspace(0, 4, 9, dtype=torch.float64)
    starts = torch.tensor([[[0.1, 0.0], [9.0, 9.0]], [[9.0, 9.0], [0.0, 0.1]]], dtype=torch.float64)
    scheme = make(path, step_size=0.05)
    states = rollout(runaway, starts, times, scheme)
    assert not states[0, 1, -1].isfinite().any()
    assert not states[1, 0, -1].isfinite().any()
    torch.testing.assert_close(states[:1, :1], rollout(runaway, starts[:1, :1], times, scheme), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(states[1:, 1:], rollout(runaway, starts[1:, 1:], times, scheme), rtol=1e-13, atol=1e-13)


class Recorder(Integrator):
    """Notes the steps that it is asked to take."""

    order = 1

    def __init__(self, step_size: float):
        super().__init__(step_size)
        self.steps: list[float] = []

    def step(self, field: Field, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        self.steps.append(float(h))
        return x + h * field(x)


@pytest.mark.parametrize(("step_size", "count"), [(0.1, 10 + 3), (0.3, 4 + 1), (5.0, 1 + 1)])
def test_no_step_is_longer_than_the_step_size_and_none_is_wasted(step_size, count):
    times = torch.tensor([0.0, 1.0, 1.3], dtype=torch.float64)
    recorder = Recorder(step_size)
    rollout(oscillator, STARTS, times, recorder)
    assert max(recorder.steps) <= step_size * (1 + 1e-9)
    assert sum(recorder.steps) == pytest.approx(1.3)
    assert len(recorder.steps) == count


class Leapfrog(Integrator):
    """Kick, drift, kick for a separable canonical field: the symplectic scheme that the defect must recognise."""

    order = 2

    def step(self, field: Field, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        drift, kick = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=x.dtype)
        x = x + h / 2 * field(x) * kick
        x = x + h * field(x) * drift
        return x + h / 2 * field(x) * kick


def symplectic_defect(scheme: Integrator, h: float) -> float:
    """Largest entry of A^T J A - J over the starts, A the Jacobian of one step on the pendulum."""
    step = torch.tensor(h, dtype=torch.float64)
    jacobians = [torch.func.jacrev(lambda x: scheme.step(pendulum, x, step))(x) for x in STARTS[0]]
    return max(float((A.T @ J @ A - J).abs().max()) for A in jacobians)


def test_rk4_is_not_symplectic():
    # METHOD trap 8: 1e-6 at h = 0.1, falling as h^6; a loose tolerance or a small step would certify it
    defects = [symplectic_defect(RK4(1.0), h) for h in (0.1, 0.05, 0.025)]
    assert 3e-7 < defects[0] < 3e-5
    for larger, smaller in pairwise(defects):
        assert math.log2(larger / smaller) == pytest.approx(6, abs=0.3)


def test_leapfrog_is_symplectic_to_round_off():
    assert symplectic_defect(Leapfrog(1.0), 0.1) < 1e-14
