"""From a vector field and starts to trajectories."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metastruct.integrators.integrator import Field, Integrator


@torch.no_grad()
def rollout(field: Field, starts: Tensor, times: Tensor, integrator: Integrator) -> Tensor:
    """States `[tasks, points, times, state]` at times `[times]` from starts `[tasks, points, state]` at times[0].

    The field maps `[tasks, points, state]` to the same shape. A trajectory that leaves the finite numbers stays NaN or
    infinite from there on; the others of the batch are not touched by it.
    """
    x, states = starts, [starts]
    for interval in times.diff():
        steps = math.ceil(float(interval) / integrator.step_size * (1 - 1e-12))
        for _ in range(steps):
            x = integrator.step(field, x, interval / steps)
        states.append(x)
    return torch.stack(states, dim=-2)
