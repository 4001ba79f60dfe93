"""Sine-Gordon fields: q_tt = c q_xx - w sin q, pendulums w on an elastic band c.

    H = sum_x p^2/2 + c (D q)^2/2 + w (1 - cos q),   dq = p,   dp = -c D^T D q - w sin q

In the continuum a kink q = 4 atan exp(g (x - v t)), g = sqrt(w/(c - v^2)), moves without a change of form, and one and
its mirror image go through each other, q = 4 atan(sqrt(c)/v sinh(g v t)/cosh(g x)) with |v| < sqrt(c).
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.system import Array
from metastruct.systems.waves import ElasticBand


class SineGordon(ElasticBand):
    """Pendulums on a band; w is their weight."""

    name = "sine_gordon"
    amplitudes = (1.5, 0.5)

    def well(self, q: Array) -> Array:
        return np.asarray(1 - np.cos(q))

    def push(self, q: Array) -> Array:
        return np.asarray(np.sin(q))
