"""Lotka-Volterra systems in logarithms: H = gamma q - delta e^q + alpha p - beta e^p.

With q the logarithm of the prey and p that of the predators, prey' = alpha prey - beta prey predators and
predators' = delta prey predators - gamma predators become Hamilton's equations:

    dq = dH/dp = alpha - beta e^p,   dp = -dH/dq = delta e^q - gamma

H has its maximum where both rest, at q = ln(gamma/delta), p = ln(alpha/beta), and every orbit is closed about it. There
is no energy cap, starts lie in a box; orbits leave it, most of all downwards.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.in_box import InBox
from metastruct.systems.system import Array, System, columns


class LotkaVolterra(System):
    """Prey and predators; alpha and delta: growth of either, beta: prey eaten, gamma: death of predators."""

    name = "lotka_volterra"
    state_names = ("q", "p")
    parameter_names = ("alpha", "beta", "gamma", "delta")
    positive = ("alpha", "beta", "gamma", "delta")
    structure = "conservative"
    canonical = True
    start = InBox([[-1.0, 1.0], [-1.0, 1.0]])

    def vector_field(self, x: Array, mu: Array) -> Array:
        alpha, beta, gamma, delta = columns(mu)
        prey, predators = np.exp(x[..., 0]), np.exp(x[..., 1])
        return np.stack([alpha - beta * predators, delta * prey - gamma], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        alpha, beta, gamma, delta = columns(mu)
        q, p = x[..., 0], x[..., 1]
        return gamma * q - delta * np.exp(q) + alpha * p - beta * np.exp(p)
