"""Pendulums by inverse inertia and torque: H = a p^2/2 + b (1 - cos q).

The pendulum of mass m and length l with a = 1/(m l^2), b = m g l and its rest at zero, a and b free of each other: H is
affine in them. E_cap is 0.9 of the separatrix energy 2 b.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.under_cap import UnderEnergyCap
from metastruct.systems.system import Array, System, centred_box, columns

LIBRATION = 0.9  # fraction of the separatrix energy


class TorquePendulum(System):
    """Pendulum of inverse inertia a and largest torque b; parameters a, b."""

    name = "torque_pendulum"
    state_names = ("q", "p")
    parameter_names = ("a", "b")
    positive = ("a", "b")
    structure = "conservative"
    canonical = True
    start = UnderEnergyCap()

    def vector_field(self, x: Array, mu: Array) -> Array:
        a, b = columns(mu)
        return np.stack([a * x[..., 1], -b * np.sin(x[..., 0])], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        a, b = columns(mu)
        return a * x[..., 1] ** 2 / 2 + b * (1 - np.cos(x[..., 0]))

    def energy_cap(self, mu: Array) -> Array:
        return LIBRATION * 2 * mu[:, 1]

    def cap_box(self, mu: Array) -> Array:
        momentum = np.sqrt(2 * self.energy_cap(mu) / mu[:, 0])
        angle = np.full_like(momentum, np.arccos(1 - 2 * LIBRATION))
        return centred_box(np.zeros((len(mu), 2)), np.stack([angle, momentum], -1))

    def solution(self, x0: Array, mu: Array, times: Array) -> Array:
        """Exact librations `[tasks, points, times, state]` by Jacobi's elliptic functions.

        sin(q/2) = k sn(omega t + phase | k^2), k^2 = E/(2 b), omega = sqrt(a b).
        """
        from scipy.special import ellipj, ellipkinc

        a, b = (column[..., None] for column in columns(mu))
        omega, modulus2 = np.sqrt(a * b), self.energy(x0, mu)[..., None] / (2 * b)
        k = np.sqrt(modulus2)
        angle = np.arcsin(np.clip(np.sin(x0[..., :1] / 2) / k, -1, 1))
        angle = np.where(x0[..., 1:] < 0, np.pi - angle, angle)
        sn, cn, _, _ = ellipj(omega * times + ellipkinc(angle, modulus2), modulus2)
        return np.stack([2 * np.arcsin(k * sn), 2 * omega / a * k * cn], axis=-1)
