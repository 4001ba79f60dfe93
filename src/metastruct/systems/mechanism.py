"""Mechanisms in coordinates (q, v): M(q) dv/dt = B u - grad V(q) - C(q, v) v - D v with E = v^T M v/2 + V.

A family gives its mass, its potential with the slope, its Coriolis forces C v and its damping D; what it says of the
last is held against the balance dE/dt = -v^T D v + v^T B u by `tests/contracts/test_driven_systems.py`.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from metastruct.systems.driven import Driven
from metastruct.systems.system import Array

GRAVITY = 9.81


class Mechanism(Driven):
    """A family of mechanisms; arrays of positions q and velocities v are `[tasks, points, coordinate]`."""

    mechanical = True
    drive: Array  # B [coordinate, input]

    @property
    def coordinates(self) -> int:
        """How many q there are."""
        return self.state_dim // 2

    @abstractmethod
    def mass(self, q: Array, mu: Array) -> Array:
        """M `[tasks, points, coordinate, coordinate]`."""

    @abstractmethod
    def potential(self, q: Array, mu: Array) -> Array:
        """V `[tasks, points]`."""

    @abstractmethod
    def slope(self, q: Array, mu: Array) -> Array:
        """grad V at q `[tasks, points, coordinate]`, as q."""

    def coriolis(self, q: Array, v: Array, mu: Array) -> Array:
        """C v at q and v `[tasks, points, coordinate]`, as q; zero where the mass is the same everywhere."""
        return np.zeros_like(v)

    def damping(self, mu: Array) -> Array:
        """D `[tasks, coordinate, coordinate]`; none."""
        return np.zeros((len(mu), self.coordinates, self.coordinates))

    def driven_field(self, x: Array, mu: Array, inputs: Array) -> Array:
        q, v = np.split(x, 2, axis=-1)
        resistance = v @ self.damping(mu)  # symmetric
        force = inputs @ self.drive.T - self.slope(q, mu) - self.coriolis(q, v, mu) - resistance
        return np.concatenate([v, np.linalg.solve(self.mass(q, mu), force[..., None])[..., 0]], axis=-1)

    def stored_energy(self, x: Array, mu: Array) -> Array:
        q, v = np.split(x, 2, axis=-1)
        kinetic: Array = np.einsum("tpi,tpij,tpj->tp", v, self.mass(q, mu), v) / 2
        return kinetic + self.potential(q, mu)

    def powers(self, x: Array, mu: Array, inputs: Array) -> tuple[Array, Array]:
        v = np.split(x, 2, axis=-1)[1]
        return np.einsum("tpi,tij,tpj->tp", v, self.damping(mu), v), (v * (inputs @ self.drive.T)).sum(-1)


def symmetric(*entries: Array) -> Array:
    """Matrices `[..., n, n]` from the entries of their lower triangle, row by row."""
    size = int(np.sqrt(2 * len(entries)))
    rows, columns = np.tril_indices(size)
    matrix = np.empty((*np.broadcast_shapes(*(np.shape(entry) for entry in entries)), size, size))
    for row, column, entry in zip(rows, columns, entries, strict=True):
        matrix[..., row, column] = matrix[..., column, row] = entry
    return matrix
