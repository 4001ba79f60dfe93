"""Sine-Gordon fields: q_tt = c q_xx - w sin q, pendulums w on an elastic band c.

    H = sum_x p^2/2 + c (D q)^2/2 + w (1 - cos q),   dq = p,   dp = -c D^T D q - w sin q

In the continuum a kink q = 4 atan exp(g (x - v t)), g = sqrt(w/(c - v^2)), moves without a change of form, and one and
its mirror image go through each other, q = 4 atan(sqrt(c)/v sinh(g v t)/cosh(g x)) with |v| < sqrt(c).
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.field import Field, Waves
from metastruct.systems.starts.start import Start
from metastruct.systems.system import Array


class SineGordon(Field):
    """Fields (q, p) on a ring; parameters c (tension) and w (weight)."""

    name = "sine_gordon"
    fields = ("q", "p")
    parameter_names = ("c", "w")
    positive = ("c", "w")
    structure = "conservative"
    canonical = True

    def starting(self) -> Start:
        return Waves(self.sites, (1.5, 0.5), modes=3)

    def vector_field(self, x: Array, mu: Array) -> Array:
        c, w = mu[:, None, :1], mu[:, None, 1:]
        q, p = np.split(x, 2, axis=-1)
        return np.concatenate([p, c * self.bend(q) - w * np.sin(q)], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        c, w = mu[:, None, :1], mu[:, None, 1:]
        q, p = np.split(x, 2, axis=-1)
        density: Array = p**2 / 2 + c * self.slope(q) ** 2 / 2 + w * (1 - np.cos(q))
        return density.sum(-1)
