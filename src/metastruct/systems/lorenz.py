"""Lorenz systems: dx = sigma (y - x), dy = x (rho - z) - y, dz = x y - beta z (Lorenz 1963).

Volumes shrink at the constant rate sigma + 1 + beta onto an attractor, which is chaotic at the classical sigma = 10,
rho = 28, beta = 8/3: errors grow by e in a time of about 1.1. Starts lie in a box about the attractor.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.in_box import InBox
from metastruct.systems.system import Array, System, columns


class Lorenz(System):
    """Convection rolls; parameters sigma (Prandtl number), rho (relative Rayleigh number), beta (aspect ratio)."""

    name = "lorenz"
    state_names = ("x", "y", "z")
    parameter_names = ("sigma", "rho", "beta")
    positive = ("sigma", "beta")
    structure = "general"
    canonical = False
    grid_axes = (0, 2)
    start = InBox([[-15.0, 15.0], [-20.0, 20.0], [5.0, 45.0]])

    def vector_field(self, x: Array, mu: Array) -> Array:
        sigma, rho, beta = columns(mu)
        first, second, third = np.moveaxis(x, -1, 0)
        return np.stack(
            [sigma * (second - first), first * (rho - third) - second, first * second - beta * third], axis=-1
        )
