"""Korteweg-de Vries fields: u_t = -a u u_x - b u_xxx, waves of shallow water.

    u_t = C dH/du,   H = sum_x -a u^3/6 + b (D u)^2/2,   C the central difference, skew

In the continuum u = (12 b k^2/a) sech^2(k (x - 4 b k^2 t)) moves without a change of form, and higher ones, which are
faster, go through lower ones. Of the lattice H and the mass sum u are kept.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.field import Field
from metastruct.systems.starts.start import Start
from metastruct.systems.system import Array, System

WIDEST, NARROWEST = 0.5, 1.0  # k of a soliton


class Solitons(Start):
    """Two solitons of a member, half the ring apart but for an eighth of it, anywhere on the ring.

    Heights 12 b k^2/a follow a cosine between the extremes of k, so that high and low ones are many.
    """

    def sample(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        assert isinstance(system, KdV)
        a, b = mu
        share = (1 + np.cos(generator.uniform(0, np.pi, (count, 2, 1)))) / 2
        k = np.sqrt(WIDEST**2 + share * (NARROWEST**2 - WIDEST**2))
        first, apart = generator.uniform(0, 1, (count, 1)), generator.uniform(3 / 8, 5 / 8, (count, 1))
        centres = system.length * np.stack([first, first + apart], 1)
        from_centre = (system.places - centres + system.length / 2) % system.length - system.length / 2
        solitons: Array = 12 * b * k**2 / a / np.cosh(k * from_centre) ** 2
        return solitons.sum(1)

    def box(self, system: System, mu: Array) -> Array:
        a, b = mu.T
        ends = np.stack([0 * a, 12.02 * b * NARROWEST**2 / a], -1)  # the foot of the other one included
        return np.repeat(ends[:, None], system.state_dim, 1)


class KdV(Field):
    """A field u on a ring; parameters a (steepening) and b (dispersion)."""

    name = "kdv"
    parameter_names = ("a", "b")
    positive = ("a", "b")
    structure = "conservative"

    def starting(self) -> Start:
        return Solitons()

    def vector_field(self, x: Array, mu: Array) -> Array:
        a, b = mu[:, None, :1], mu[:, None, 1:]
        return -self.central(a * x**2 / 2 + b * self.bend(x))

    def energy(self, x: Array, mu: Array) -> Array:
        a, b = mu[:, None, :1], mu[:, None, 1:]
        density: Array = -a * x**3 / 6 + b * self.slope(x) ** 2 / 2
        return density.sum(-1)
