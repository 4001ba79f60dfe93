"""Phi^4 fields: q_tt = c q_xx - w (q^3 - q), a double well at every site of an elastic band.

    H = sum_x p^2/2 + c (D q)^2/2 + w (q^2 - 1)^2/4,   dq = p,   dp = -c D^T D q - w (q^3 - q)

In the continuum a kink q = tanh(g (x - v t)), g = sqrt(w/(2 (c - v^2))), goes from one well to the other.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.field import Field, Waves
from metastruct.systems.starts.start import Start
from metastruct.systems.system import Array


class Phi4(Field):
    """Fields (q, p) on a ring; parameters c (tension) and w (depth of the wells)."""

    name = "phi4"
    fields = ("q", "p")
    parameter_names = ("c", "w")
    positive = ("c", "w")
    structure = "conservative"
    canonical = True

    def starting(self) -> Start:
        return Waves(self.sites, (1.2, 0.4), modes=3)

    def vector_field(self, x: Array, mu: Array) -> Array:
        c, w = mu[:, None, :1], mu[:, None, 1:]
        q, p = np.split(x, 2, axis=-1)
        return np.concatenate([p, c * self.bend(q) - w * (q**3 - q)], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        c, w = mu[:, None, :1], mu[:, None, 1:]
        q, p = np.split(x, 2, axis=-1)
        density: Array = p**2 / 2 + c * self.slope(q) ** 2 / 2 + w * (q**2 - 1) ** 2 / 4
        return density.sum(-1)
