"""RK4, then back to the energy that it should have (Hairer, Lubich, Wanner, Geometric Numerical Integration, IV.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import duration
from metastruct.integrators.iteration import CAP, lost, rounding
from metastruct.integrators.rk4 import ABSCISSAE, RK4


class EnergyProjection(RK4):
    """x_1 = y + lambda grad E(y), y the RK4 step, with E(x_1) = E(x) + W: order four, any dynamics that has an energy.

    W is what friction takes and inputs give: RK4's own quadrature h (P_1 + 2 P_2 + 2 P_3 + P_4)/6 of the power at its
    stages, zero where the energy is kept. So the balance of power holds to round-off, step after step, for GENERIC and
    Hamiltonian dynamics as for what is damped and driven. lambda is of the size of RK4's error in a step, h^5, and
    moves the entropy by as little. Newton's iteration with a fixed slope finds it; a trajectory where it does not
    converge becomes NaN, and one that is damped or driven keeps y, for at the bottom of the energy there may be no
    state of the energy that is asked for; both are told. Not symplectic.

    Raises:
        TypeError: at the first step, where the flow has no energy.
    """

    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        energy = flow.energy(x)
        y, places = self.stages(flow, x, h)
        if not flow.keeps_energy:
            first, second, third, last = (flow.power(*pair) for pair in zip(places, ABSCISSAE, strict=True))
            energy = energy + duration(h) / 6 * (first + 2 * (second + third) + last)
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
        failed = (moving | ~x.isfinite().all(-1)) & size.isfinite()
        return lost(x, failed, None if flow.keeps_energy else y)
