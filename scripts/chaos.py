"""How laws themselves part neighbours: exponents of Lyapunov, and what comes of an error of the start or of the law."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from forecaster import QUERY, RATE, TASKS

from metastruct.data.draws import drawn
from metastruct.data.simulate import instants, integrate, integrate_driven, signals
from metastruct.data.trajectory import Array
from metastruct.evaluation.errors import relative_error
from metastruct.evaluation.grid import evaluation_grid
from metastruct.integrators.flow import Flow
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.integrators.signal import Signal

HORIZON, TRAJECTORIES, SUPPORT = 10.0, 10, 5  # of the runs that scripts of mechanics make
APART = 1e-7


@cache
def largest_exponent(law: Any, lengths: int = 100, length: float = 0.5) -> float:
    """Mean over members and starts of the rate at which neighbours part, renewed after each length (Benettin 1980)."""
    mu, starts = drawn(law, 1, TASKS, QUERY[-1] + 1, 0)
    x, total = starts[:, QUERY], 0.0
    offset = np.random.default_rng(0).normal(size=x.shape)
    for number in range(lengths):
        offset *= APART / np.linalg.norm(offset, axis=-1, keepdims=True)
        ends = integrate(law, np.concatenate([x, x + offset], 1), mu, np.array([0.0, length]), 1e-11)[:, :, -1]
        x, neighbour = np.split(ends, 2, axis=1)
        offset = neighbour - x
        if number >= lengths // 10:  # first it turns into the direction of growth
            total = total + np.log(np.linalg.norm(offset, axis=-1) / APART)
    return float(np.mean(total) / (length * (lengths - lengths // 10)))


@cache
def query(law: Any) -> tuple[Array, Array, Array, Array]:
    """Parameters of the test members, and starts, times and inputs of their query trajectories."""
    mu, starts = drawn(law, 1, TASKS, TRAJECTORIES, 0)
    times = instants(HORIZON, round(RATE * HORIZON) + 1)
    inputs = signals(law, 1, TASKS, TRAJECTORIES, times, 0)
    assert inputs is not None
    return mu, starts[:, SUPPORT:], times, inputs[:, SUPPORT:]


@cache
def truth(law: Any) -> Array:
    """Those trajectories `[tasks, trajectories, times, state]`."""
    mu, starts, times, inputs = query(law)
    return integrate_driven(law, starts, mu, times, inputs, 1e-10)


@cache
def factors(law: Any) -> Array:
    """What driven members make of an error of the start `[tasks, trajectories, times]`, times its size."""
    mu, starts, times, inputs = query(law)
    offset = np.random.default_rng(0).normal(size=starts.shape)
    offset *= APART / np.linalg.norm(offset, axis=-1, keepdims=True)
    neighbour = integrate_driven(law, starts + offset, mu, times, inputs, 1e-10)
    size: Array = np.linalg.norm(neighbour - truth(law), axis=-1) / APART
    return size


def off(law: Any, relative: float, seed: int) -> tuple[Array, Array]:
    """Errors of the field and of trajectories `[tasks]` of driven members whose parameters are off by such a share."""
    mu, starts, times, inputs = query(law)
    wrong = mu * (1 + relative * np.random.default_rng(seed).normal(size=mu.shape))
    grid = evaluation_grid(law, mu, 50, 1.0).reshape(len(mu), -1, law.state_dim)
    field = relative_error(law.vector_field(grid, wrong), law.vector_field(grid, mu))
    return field, relative_error(integrate_driven(law, starts, wrong, times, inputs, 1e-10), truth(law))


def stepped(law: Any, step: float) -> Array:
    """Errors of trajectories `[tasks]` of the true law by RK4 with such steps."""
    mu, starts, times, inputs = query(law)

    def field(x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(law.driven_field(x.numpy(), mu, u.numpy()))

    instants_of, u = torch.from_numpy(times), torch.from_numpy(inputs)
    flow = Flow(field, inputs=Signal(instants_of, u, law.held_inputs))
    return relative_error(rollout(flow, torch.from_numpy(starts), instants_of, RK4(step)).numpy(), truth(law))
