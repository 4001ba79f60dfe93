"""Phi^4 fields: q_tt = c q_xx - w (q^3 - q), a double well at every site of an elastic band.

    H = sum_x p^2/2 + c (D q)^2/2 + w (q^2 - 1)^2/4,   dq = p,   dp = -c D^T D q - w (q^3 - q)

In the continuum a kink q = tanh(g (x - v t)), g = sqrt(w/(2 (c - v^2))), goes from one well to the other.
"""

from __future__ import annotations

from metastruct.systems.system import Array
from metastruct.systems.waves import ElasticBand


class Phi4(ElasticBand):
    """A double well at every site of a band; w is the depth of the wells."""

    name = "phi4"
    amplitudes = (1.2, 0.4)

    def well(self, q: Array) -> Array:
        value: Array = (q**2 - 1) ** 2 / 4
        return value

    def push(self, q: Array) -> Array:
        value: Array = q**3 - q
        return value
