"""Toda rings: n particles around a circle, joined by springs that are soft when stretched.

    V(d) = (a/b) (exp(-b d) - 1 + b d)

The chain is integrable: with P = p sqrt(b/a) and s = exp(-b d/2), the eigenvalues of the symmetric matrix with P_i/2 on
its diagonal and s_i/2 beside it, around the ring, do not change, n integrals of motion. Of these the total momentum is
one and the energy another.

Source: Flaschka (1974), The Toda lattice. II. Existence of integrals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metastruct.systems.oscillator_chain import OscillatorChain
from metastruct.systems.system import Array


class Toda(OscillatorChain):
    """Parameters a (stiffness a b for small motions) and b (how soon a spring stiffens when it is pressed).

    Args:
        parameters: as of `System`.
        oscillators: n, at least 3.
        energy: of each at the start, as a mean, above 0.
    """

    name = "toda"
    parameter_names = ("a", "b")
    positive = ("a", "b")
    fixed_ends = False

    def __init__(self, parameters: Mapping[str, Sequence[float]], oscillators: int = 8, energy: float = 0.5):
        if oscillators < 3:
            raise ValueError(f"system.oscillators of a ring must be at least 3, got {oscillators}")
        super().__init__(parameters, oscillators, energy)

    def spring(self, d: Array, mu: Array) -> tuple[Array, Array, Array]:
        a, b = mu.T[:, :, None, None]
        pressed = np.exp(-b * d)
        return a / b * (pressed - 1 + b * d), a * (1 - pressed), (a * b)[:, 0, 0]

    def momentum(self, x: Array, mu: Array) -> Array:
        return x[..., self.oscillators :].sum(-1, keepdims=True)

    def integrals(self, x: Array, mu: Array) -> Array:
        """The n integrals of motion, `[tasks, points, n]`, in ascending order."""
        q, p = np.split(x, 2, axis=-1)
        a, b = mu.T[:, :, None, None]
        matrix = p[..., None] * np.sqrt(b / a)[..., None] / 2 * np.eye(self.oscillators)
        beside = np.exp(-b * self.stretches(q) / 2) / 2
        here = np.arange(self.oscillators)
        there = (here + 1) % self.oscillators
        matrix[..., here, there] += beside
        matrix[..., there, here] += beside
        return np.linalg.eigvalsh(matrix)
