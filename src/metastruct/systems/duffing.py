"""Undamped Duffing oscillators: H = p^2/2 + alpha q^2/2 + beta q^4/4, E_cap = 1, single to double well (alpha < 0)."""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.under_cap import UnderEnergyCap
from metastruct.systems.system import Array, System, centred_box, columns


class Duffing(System):
    """Oscillator with a cubic force; parameters alpha (linear stiffness, of either sign) and beta > 0."""

    name = "duffing"
    state_names = ("q", "p")
    parameter_names = ("alpha", "beta")
    positive = ("beta",)
    structure = "conservative"
    canonical = True
    start = UnderEnergyCap()

    def vector_field(self, x: Array, mu: Array) -> Array:
        alpha, beta = columns(mu)
        q, p = x[..., 0], x[..., 1]
        return np.stack([p, -alpha * q - beta * q**3], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        alpha, beta = columns(mu)
        q, p = x[..., 0], x[..., 1]
        return p**2 / 2 + alpha * q**2 / 2 + beta * q**4 / 4

    def energy_cap(self, mu: Array) -> Array:
        return np.ones(len(mu))

    def cap_box(self, mu: Array) -> Array:
        alpha, beta = mu.T
        cap = self.energy_cap(mu)
        amplitude = np.sqrt(turning_point_squared(cap, alpha, beta))
        deepest = np.where(alpha < 0, alpha**2 / (4 * beta), 0.0)
        return centred_box(np.zeros((len(mu), 2)), np.stack([amplitude, np.sqrt(2 * (cap + deepest))], -1))

    def solution(self, x0: Array, mu: Array, times: Array) -> Array:
        """Exact states `[tasks, points, times, state]` by Jacobi's elliptic functions.

        With A the outer turning point: above the saddle (E > 0) q = A cn(w t + phase | A^2 beta/(2 w^2)) with
        w^2 = alpha + beta A^2; inside one well q = +-A dn(w t + phase | 2 + alpha/w^2) with w^2 = beta A^2/2.
        """
        from scipy.special import ellipj, ellipkinc

        alpha, beta = (column[..., None] for column in columns(mu))
        energy = self.energy(x0, mu)[..., None]
        a2 = turning_point_squared(energy, alpha, beta)
        amplitude, q, p = np.sqrt(a2), x0[..., :1], x0[..., 1:]

        w = np.sqrt(np.maximum(alpha + beta * a2, 1e-300))
        m = np.clip(beta * a2 / (2 * w**2), 0, 1)
        start = np.where(p > 0, -1, 1) * np.arccos(np.clip(q / amplitude, -1, 1))
        sn, cn, dn, _ = ellipj(w * times + ellipkinc(start, m), m)
        over = np.stack([amplitude * cn, -amplitude * w * sn * dn], axis=-1)

        w, side = np.sqrt(beta * a2 / 2), np.sign(q)
        m = np.clip(2 + alpha / w**2, 0, 1)
        sin2 = np.clip((1 - q**2 / a2) / np.maximum(m, 1e-300), 0, 1)
        start = np.where(p * side > 0, -1, 1) * np.arcsin(np.sqrt(sin2))
        sn, cn, dn, _ = ellipj(w * times + ellipkinc(start, m), m)
        inside = side[..., None] * np.stack([amplitude * dn, -amplitude * w * m * sn * cn], axis=-1)
        return np.where((energy > 0)[..., None], over, inside)


def turning_point_squared(energy: Array, alpha: Array, beta: Array) -> Array:
    """Largest root q^2 of alpha q^2/2 + beta q^4/4 = energy, of all `[...]` alike."""
    return (-alpha + np.sqrt(alpha**2 + 4 * beta * energy)) / beta
