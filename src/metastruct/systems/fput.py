"""Fermi-Pasta-Ulam-Tsingou chains between two fixed ends.

    V(d) = d^2/2 + alpha d^3/3 + beta d^4/4

Small motions are n modes of frequencies 2 sin(pi k/(2 (n + 1))), an oracle of the law. V grows with |d| where
alpha^2 < 4 beta.

Source: Fermi, Pasta, Ulam and Tsingou (1955), Studies of nonlinear problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metastruct.systems.oscillator_chain import OscillatorChain
from metastruct.systems.system import Array


class Fput(OscillatorChain):
    """Springs with a quadratic and a cubic force; parameters alpha and beta.

    Args:
        parameters: as of `System`.
        oscillators: n, at least 2.
        energy: of each at the start, as a mean, above 0.

    Raises:
        ValueError: as of `System`, or springs can have a second rest position.
    """

    name = "fput"
    parameter_names = ("alpha", "beta")
    positive = ("beta",)
    fixed_ends = True

    def __init__(self, parameters: Mapping[str, Sequence[float]], oscillators: int = 8, energy: float = 0.5):
        super().__init__(parameters, oscillators, energy)
        (low, high), (softest, _) = self.ranges
        if max(low**2, high**2) >= 4 * softest:
            raise ValueError(f"fput needs alpha^2 < 4 beta, got alpha in [{low:g}, {high:g}] and beta from {softest:g}")

    def spring(self, d: Array, mu: Array) -> tuple[Array, Array, Array]:
        alpha, beta = mu.T[:, :, None, None]
        return d**2 / 2 + alpha * d**3 / 3 + beta * d**4 / 4, d + alpha * d**2 + beta * d**3, np.ones(len(mu))
