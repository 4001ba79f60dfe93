"""Morse oscillators: H = p^2/2 + D (1 - exp(-a (q - q0)))^2, bound: E_cap = 0.6 D, the well being D deep.

The one family here whose energy is not affine in any few functions of its parameters: a and q0 stand in an exponent.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.under_cap import UnderEnergyCap
from metastruct.systems.system import Array, System, columns

BOUND = 0.6  # fraction of the depth of the well


class Morse(System):
    """Diatomic stretch with depth D, inverse width a and rest length q0; soft outwards, hard inwards."""

    name = "morse"
    state_names = ("q", "p")
    parameter_names = ("D", "a", "q0")
    positive = ("D", "a")
    structure = "conservative"
    canonical = True
    start = UnderEnergyCap()

    def vector_field(self, x: Array, mu: Array) -> Array:
        depth, a, q0 = columns(mu)
        q, p = x[..., 0], x[..., 1]
        decay = np.exp(-a * (q - q0))
        return np.stack([p, -2 * depth * a * (1 - decay) * decay], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        depth, a, q0 = columns(mu)
        q, p = x[..., 0], x[..., 1]
        return p**2 / 2 + depth * (1 - np.exp(-a * (q - q0))) ** 2

    def energy_cap(self, mu: Array) -> Array:
        return BOUND * mu[:, 0]

    def cap_box(self, mu: Array) -> Array:
        _, a, q0 = mu.T
        inner, outer = (q0 - np.log(1 + side * np.sqrt(BOUND)) / a for side in (1, -1))
        momentum = np.sqrt(2 * self.energy_cap(mu))
        return np.stack([np.stack([inner, outer], -1), np.stack([-momentum, momentum], -1)], axis=-2)

    def solution(self, x0: Array, mu: Array, times: Array) -> Array:
        """Exact bound states `[tasks, points, times, state]`.

        u = exp(a (q - q0)) obeys u'^2 = 2 a^2 (E u^2 - D (u - 1)^2), so that it is a sine about D/(D - E) of angular
        frequency a sqrt(2 (D - E)).
        """
        depth, a, q0 = (column[..., None] for column in columns(mu))
        below = depth - self.energy(x0, mu)[..., None]
        omega, centre = a * np.sqrt(2 * below), depth / below
        u = np.exp(a * (x0[..., :1] - q0))
        rate = a * u * x0[..., 1:]
        cos, sin = np.cos(omega * times), np.sin(omega * times)
        now = centre + (u - centre) * cos + rate / omega * sin
        speed = rate * cos - (u - centre) * omega * sin
        return np.stack([q0 + np.log(now) / a, speed / (a * now)], axis=-1)
