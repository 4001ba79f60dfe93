"""Leapfrog (Stoermer-Verlet): kick, drift, kick (Hairer, Lubich, Wanner, Geometric Numerical Integration, I.1.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator


class Leapfrog(Integrator):
    """p' = p - h/2 dV(q),  q_1 = q + h dT(p'),  p_1 = p' - h/2 dV(q_1): explicit, order two, symplectic, reversible.

    Only for H = T(p) + V(q), that is, where dq/dt depends on p alone and dp/dt on q alone (net=separable); on another
    field it is neither symplectic nor of order two. Of each of its three evaluations it uses one half.
    """

    order = 2

    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        q, p = x.chunk(2, dim=-1)
        p = p + h / 2 * self._force(flow, q, p, 0.0)
        q = q + h * flow.vector_field(torch.cat([q, p], dim=-1), 0.5).chunk(2, dim=-1)[0]
        return torch.cat([q, p + h / 2 * self._force(flow, q, p, 1.0)], dim=-1)

    @staticmethod
    def _force(flow: Flow, q: Tensor, p: Tensor, stage: float) -> Tensor:
        return flow.vector_field(torch.cat([q, p], dim=-1), stage).chunk(2, dim=-1)[1]
