"""Nonlinear waves on an elastic band: q_tt = c q_xx - w V'(q).

H = sum_x p^2/2 + c (D q)^2/2 + w V(q),   dq = p,   dp = -c D^T D q - w V'(q)
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from metastruct.systems.field import Field, Waves
from metastruct.systems.starts.start import Start
from metastruct.systems.system import Array


class ElasticBand(Field):
    """Fields (q, p) on a ring; parameters c (tension) and w (strength of V), which a family gives."""

    fields = ("q", "p")
    parameter_names = ("c", "w")
    positive = ("c", "w")
    structure = "conservative"
    canonical = True
    amplitudes: tuple[float, float]  # of q and p at a start

    def starting(self) -> Start:
        return Waves(self.sites, self.amplitudes, modes=3)

    @abstractmethod
    def well(self, q: Array) -> Array:
        """V of fields `[..., sites]`."""

    @abstractmethod
    def push(self, q: Array) -> Array:
        """V' of fields `[..., sites]`."""

    def vector_field(self, x: Array, mu: Array) -> Array:
        c, w = mu[:, None, :1], mu[:, None, 1:]
        q, p = np.split(x, 2, axis=-1)
        return np.concatenate([p, c * self.bend(q) - w * self.push(q)], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        c, w = mu[:, None, :1], mu[:, None, 1:]
        q, p = np.split(x, 2, axis=-1)
        density: Array = p**2 / 2 + c * self.slope(q) ** 2 / 2 + w * self.well(q)
        return density.sum(-1)
