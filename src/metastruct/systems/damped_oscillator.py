"""Damped nonlinear oscillators (DNO): a pendulum whose lost energy heats a bath, x = (q, p, S), m = T = 1.

    dq = p/m,  dp = -k sin q - gamma p,  dS = gamma p^2/(m T),  E = p^2/(2m) - k cos q + T S,  entropy S
    L = [[0, 1, 0], [-1, 0, 0], [0, 0, 0]],  M = gamma m T v v^T,  v = (0, 1, -p/(m T))

Starts have S = 0 and p^2/(2m) + k (1 - cos q) <= 0.9 * 2k, so that they librate (docs/method.md, section 5).
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.under_cap import UnderEnergyCap
from metastruct.systems.system import Array, System, canonical_matrix, centred_box, columns, outer

MASS = 1.0
TEMPERATURE = 1.0
LIBRATION = 0.9  # fraction of the separatrix energy


class DampedOscillator(System):
    """Pendulum with friction in contact with a bath; parameters k (strength) and gamma (friction)."""

    name = "damped_oscillator"
    state_names = ("q", "p", "S")
    parameter_names = ("k", "gamma")
    positive = ("k",)
    not_negative = ("gamma",)
    structure = "metriplectic"
    canonical = False
    bath = True
    start = UnderEnergyCap()

    def vector_field(self, x: Array, mu: Array) -> Array:
        k, gamma = columns(mu)
        q, p = x[..., 0], x[..., 1]
        return np.stack([p / MASS, -k * np.sin(q) - gamma * p, gamma * p**2 / (MASS * TEMPERATURE)], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        k, _ = columns(mu)
        return x[..., 1] ** 2 / (2 * MASS) - k * np.cos(x[..., 0]) + TEMPERATURE * x[..., 2]

    def entropy(self, x: Array, mu: Array) -> Array:
        return x[..., 2]

    def poisson(self, x: Array, mu: Array) -> Array:
        return canonical_matrix(x, pairs=1)

    def friction(self, x: Array, mu: Array) -> Array:
        _, gamma = columns(mu)
        p = x[..., 1]
        v = np.stack([0 * p, 0 * p + 1, -p / (MASS * TEMPERATURE)], axis=-1)
        return outer((gamma * MASS * TEMPERATURE + 0 * p, v))

    def energy_cap(self, mu: Array) -> Array:
        return (2 * LIBRATION - 1) * mu[:, 0]  # of E, whose lowest value at S = 0 is -k

    def cap_box(self, mu: Array) -> Array:
        k = mu[:, 0]
        angle, momentum = np.full_like(k, np.arccos(1 - 2 * LIBRATION)), np.sqrt(2 * MASS * 2 * LIBRATION * k)
        return centred_box(np.zeros((len(mu), 3)), np.stack([angle, momentum, 0 * k], -1))
