"""Gauss's collocation with two stages (Hairer, Lubich, Wanner, Geometric Numerical Integration, II.1.3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.iteration import fixed_point

ROOT = math.sqrt(3)


class GaussLegendre(Integrator):
    """Order four, symplectic for every H, reversible, keeps quadratic invariants.

    z_1 = h (1/4 k_1 + (1/4 - s) k_2),  z_2 = h ((1/4 + s) k_1 + 1/4 k_2),  k_i = f(x + z_i),  s = sqrt(3)/6, and
    x_1 = x + h/2 (k_1 + k_2) = x + sqrt(3) (z_2 - z_1). The increments are found by fixed-point iteration to round-off;
    a trajectory where it does not converge becomes NaN, with a warning. Two evaluations an iteration.
    """

    order = 4

    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        def update(z: Tensor) -> Tensor:
            k1, k2 = (flow.vector_field(x + half) for half in z.chunk(2, dim=-1))
            return h * torch.cat([k1 / 4 + (1 / 4 - ROOT / 6) * k2, (1 / 4 + ROOT / 6) * k1 + k2 / 4], dim=-1)

        z1, z2 = fixed_point(update, torch.cat([0 * x, 0 * x], dim=-1), x.abs().amax(-1)).chunk(2, dim=-1)
        return x + ROOT * (z2 - z1)
