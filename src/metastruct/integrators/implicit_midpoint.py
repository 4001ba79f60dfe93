"""The implicit midpoint rule, Gauss's collocation with one stage."""

from __future__ import annotations

from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.iteration import fixed_point


class ImplicitMidpoint(Integrator):
    """x_1 = x + h f((x + x_1)/2): order two, symplectic for every H, reversible, keeps quadratic invariants.

    The increment to the middle, z = h/2 f(x + z), is found by fixed-point iteration to round-off, which converges where
    h times the largest frequency is below two; a trajectory where it does not becomes NaN, which is told.
    """

    order = 2

    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        def update(z: Tensor) -> Tensor:
            return h / 2 * flow.vector_field(x + z, 0.5)

        return x + 2 * fixed_point(update, 0 * x, x.abs().amax(-1))
