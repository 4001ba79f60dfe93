"""Stoermer and Verlet's scheme for states (q, v) with dq/dt = v and forces that may depend on the velocity."""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.iteration import fixed_point


class Verlet(Integrator):
    """v' = v + h/2 a(q, v'),  q_1 = q + h v',  v_1 = v' + h/2 a(q_1, v'): order two, reversible.

    Of constant mass and without friction it is the variational scheme of Stoermer and Verlet, symplectic, and v' is
    explicit; Coriolis forces and friction make it implicit in v' alone, by fixed-point iteration to round-off, which
    converges in a few evaluations. A trajectory where it does not becomes NaN, which is told.
    """

    order = 2

    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        q, v = x.chunk(2, dim=-1)

        def kick(z: Tensor) -> Tensor:
            return h / 2 * self._acceleration(flow, q, v + z, 0.0)

        v = v + fixed_point(kick, 0 * v, v.abs().amax(-1))
        q_after = q + h * v
        return torch.cat([q_after, v + h / 2 * self._acceleration(flow, q_after, v, 1.0)], dim=-1)

    @staticmethod
    def _acceleration(flow: Flow, q: Tensor, v: Tensor, stage: float) -> Tensor:
        return flow.vector_field(torch.cat([q, v], dim=-1), stage).chunk(2, dim=-1)[1]
