"""The classical fourth-order Runge-Kutta scheme."""

from __future__ import annotations

from torch import Tensor

from metastruct.integrators.integrator import Field, Integrator


class RK4(Integrator):
    """Four evaluations a step, order four, explicit; neither symplectic nor reversible."""

    order = 4

    def step(self, field: Field, x: Tensor, h: Tensor) -> Tensor:
        k1 = field(x)
        k2 = field(x + h / 2 * k1)
        k3 = field(x + h / 2 * k2)
        k4 = field(x + h * k3)
        return x + h / 6 * (k1 + 2 * (k2 + k3) + k4)
