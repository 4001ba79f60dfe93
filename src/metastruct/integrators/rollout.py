"""From a flow and starts to trajectories."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator


@torch.no_grad()
def rollout(flow: Flow, starts: Tensor, times: Tensor, integrator: Integrator) -> Tensor:
    """States `[tasks, points, times, state]` at times `[times]` from starts `[tasks, points, state]` at times[0].

    A trajectory that leaves the finite numbers stays NaN or infinite from there on; the others of the batch are not
    touched by it.
    """
    x, states = starts, [starts]
    for interval in times.diff():
        steps = math.ceil(float(interval) / integrator.step_size * (1 - 1e-12))
        for _ in range(steps):
            x = integrator.step(flow, x, interval / steps)
        states.append(x)
    return torch.stack(states, dim=-2)
