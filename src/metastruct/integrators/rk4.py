"""The classical fourth-order Runge-Kutta scheme."""

from __future__ import annotations

from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator


class RK4(Integrator):
    """Four evaluations a step, order four, explicit; neither symplectic nor reversible."""

    order = 4

    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        k1 = flow.vector_field(x)
        k2 = flow.vector_field(x + h / 2 * k1, 0.5)
        k3 = flow.vector_field(x + h / 2 * k2, 0.5)
        k4 = flow.vector_field(x + h * k3, 1.0)
        return x + h / 6 * (k1 + 2 * (k2 + k3) + k4)
