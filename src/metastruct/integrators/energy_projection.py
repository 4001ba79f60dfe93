"""RK4, then back to the energy before the step (Hairer, Lubich, Wanner, Geometric Numerical Integration, IV.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.iteration import CAP, lost, rounding
from metastruct.integrators.rk4 import RK4


class EnergyProjection(RK4):
    """x_1 = y + lambda grad E(y) with E(x_1) = E(x), y the RK4 step: order four, any dynamics that has an energy.

    For GENERIC as for Hamiltonian dynamics, the energy stays where it is to round-off, step after step. lambda is of
    the size of RK4's error in a step, h^5, and moves the entropy by as little. Newton's iteration with a fixed slope
    finds it; a trajectory where it does not converge becomes NaN, with a warning. Not symplectic.

    Raises:
        TypeError: at the first step, where the flow has no energy.
    """

    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        energy = flow.energy(x)
        y = super().step(flow, x, h)
        direction = flow.energy_gradient(y)
        slope = (direction * direction).sum(-1)
        size = torch.maximum(energy.abs(), slope.sqrt() * torch.linalg.vector_norm(y, dim=-1))
        x, moving = y, torch.ones_like(slope, dtype=torch.bool)
        for _ in range(CAP):
            excess = flow.energy(x) - energy
            back = torch.where(moving & (slope > 0), -excess / slope, 0.0)
            x = x + back[..., None] * direction
            moving = moving & (excess.abs() > rounding(size))
            if not moving.any():
                break
        return lost(x, (moving | ~x.isfinite().all(-1)) & size.isfinite())
