"""Harmonic oscillators: H = p^2/(2m) + k (q - q0)^2/2, with E_cap = 1 for every member."""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.under_cap import UnderEnergyCap
from metastruct.systems.system import Array, System, centred_box, columns


class MassSpring(System):
    """Mass on a spring; parameters m, k, q0. Its motion is a sine of angular frequency sqrt(k/m)."""

    name = "mass_spring"
    state_names = ("q", "p")
    parameter_names = ("m", "k", "q0")
    positive = ("m", "k")
    structure = "conservative"
    canonical = True
    start = UnderEnergyCap()

    def vector_field(self, x: Array, mu: Array) -> Array:
        m, k, q0 = columns(mu)
        q, p = x[..., 0], x[..., 1]
        return np.stack([p / m, -k * (q - q0)], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        m, k, q0 = columns(mu)
        q, p = x[..., 0], x[..., 1]
        return p**2 / (2 * m) + k * (q - q0) ** 2 / 2

    def energy_cap(self, mu: Array) -> Array:
        return np.ones(len(mu))

    def cap_box(self, mu: Array) -> Array:
        m, k, q0 = mu.T
        cap = self.energy_cap(mu)
        return centred_box(np.stack([q0, 0 * q0], -1), np.stack([np.sqrt(2 * cap / k), np.sqrt(2 * m * cap)], -1))

    def solution(self, x0: Array, mu: Array, times: Array) -> Array:
        """Exact states `[tasks, points, times, state]` from the starts x0 `[tasks, points, state]`."""
        m, k, q0 = (column[..., None] for column in columns(mu))
        omega = np.sqrt(k / m)
        q, p = x0[..., :1] - q0, x0[..., 1:]
        cos, sin = np.cos(omega * times), np.sin(omega * times)
        return np.stack([q0 + q * cos + p / (m * omega) * sin, p * cos - m * omega * q * sin], axis=-1)
