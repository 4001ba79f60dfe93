"""Gauss's collocation with two stages (Hairer, Lubich, Wanner, Geometric Numerical Integration, II.1.3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.iteration import fixed_point

SHIFT = math.sqrt(3) / 6
ABSCISSAE = 1 / 2 - SHIFT, 1 / 2 + SHIFT


class GaussLegendre(Integrator):
    """Order four, symplectic for every H, reversible, keeps quadratic invariants.

    d_1 = h f(x + d_1/4 + (1/4 - s) d_2),  d_2 = h f(x + (1/4 + s) d_1 + d_2/4),  s = sqrt(3)/6, and
    x_1 = x + (d_1 + d_2)/2. The increments d are found by fixed-point iteration to round-off; a trajectory where it
    does not converge becomes NaN, which is told. Two evaluations an iteration.
    """

    order = 4

    def step(self, flow: Flow, x: Tensor, h: Tensor) -> Tensor:
        def update(d: Tensor) -> Tensor:
            d1, d2 = d.chunk(2, dim=-1)
            stages = x + (d1 / 4 + (1 / 4 - SHIFT) * d2), x + ((1 / 4 + SHIFT) * d1 + d2 / 4)
            fields = [flow.vector_field(stage, c) for stage, c in zip(stages, ABSCISSAE, strict=True)]
            return h * torch.cat(fields, dim=-1)

        d1, d2 = fixed_point(update, torch.cat([0 * x, 0 * x], dim=-1), x.abs().amax(-1)).chunk(2, dim=-1)
        return x + (d1 + d2) / 2
