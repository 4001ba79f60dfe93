"""The classical fourth-order Runge-Kutta scheme."""

from __future__ import annotations

from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator

ABSCISSAE = 0.0, 0.5, 0.5, 1.0


class RK4(Integrator):
    """Four evaluations a step, order four, explicit; neither symplectic nor reversible."""

    order = 4

    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        return self.stages(flow, x, h)[0]

    def stages(self, flow: Flow, x: Tensor, h: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The state one step later, and the states at which the field was asked, each `[..., state]`."""
        k1 = flow.vector_field(x)
        places = [x, x + h / 2 * k1]
        k2 = flow.vector_field(places[1], 0.5)
        places.append(x + h / 2 * k2)
        k3 = flow.vector_field(places[2], 0.5)
        places.append(x + h * k3)
        k4 = flow.vector_field(places[3], 1.0)
        return x + h / 6 * (k1 + 2 * (k2 + k3) + k4), places
