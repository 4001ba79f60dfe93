"""Pendulums: H = p^2/(2 m l^2) + m g l (1 - cos(q - q0)) with g = 6.

E_cap is 0.9 of the separatrix energy 2 m g l, so that every start librates: beyond it q grows without bound.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.under_cap import UnderEnergyCap
from metastruct.systems.system import Array, System, centred_box, columns

GRAVITY = 6.0
LIBRATION = 0.9  # fraction of the separatrix energy


class Pendulum(System):
    """Pendulum of mass m and length l whose rest angle is q0; parameters m, l, q0."""

    name = "pendulum"
    state_names = ("q", "p")
    parameter_names = ("m", "l", "q0")
    positive = ("m", "l")
    structure = "conservative"
    canonical = True
    start = UnderEnergyCap()

    def vector_field(self, x: Array, mu: Array) -> Array:
        m, length, q0 = columns(mu)
        q, p = x[..., 0], x[..., 1]
        return np.stack([p / (m * length**2), -m * GRAVITY * length * np.sin(q - q0)], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        m, length, q0 = columns(mu)
        q, p = x[..., 0], x[..., 1]
        return p**2 / (2 * m * length**2) + m * GRAVITY * length * (1 - np.cos(q - q0))

    def energy_cap(self, mu: Array) -> Array:
        m, length, _ = mu.T
        return LIBRATION * 2 * m * GRAVITY * length

    def cap_box(self, mu: Array) -> Array:
        m, length, q0 = mu.T
        angle = np.full_like(q0, np.arccos(1 - 2 * LIBRATION))
        momentum = np.sqrt(2 * m * length**2 * self.energy_cap(mu))
        return centred_box(np.stack([q0, 0 * q0], -1), np.stack([angle, momentum], -1))

    def solution(self, x0: Array, mu: Array, times: Array) -> Array:
        """Exact librations `[tasks, points, times, state]` by Jacobi's elliptic functions.

        sin((q - q0)/2) = k sn(omega t + phase | k^2), k^2 = E/(2 m g l), omega = sqrt(g/l).
        """
        from scipy.special import ellipj, ellipkinc

        m, length, q0 = (column[..., None] for column in columns(mu))
        omega = np.sqrt(GRAVITY / length)
        modulus2 = self.energy(x0, mu)[..., None] / (2 * m * GRAVITY * length)
        k = np.sqrt(modulus2)
        angle = np.arcsin(np.clip(np.sin((x0[..., :1] - q0) / 2) / k, -1, 1))
        angle = np.where(x0[..., 1:] < 0, np.pi - angle, angle)
        sn, cn, _, _ = ellipj(omega * times + ellipkinc(angle, modulus2), modulus2)
        return np.stack([q0 + 2 * np.arcsin(k * sn), 2 * m * length**2 * omega * k * cn], axis=-1)
