"""Families that inputs u(t) drive: an energy, what friction takes of it, and what inputs give.

    dE/dt = -dissipated + supplied,   dissipated >= 0

Where somebody asks for a law of the state alone, on a grid or for starts, there is no input: u = 0.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from metastruct.systems.system import Array, System


class Driven(System):
    """A family dx/dt = f(x, u; mu) with a balance of energy."""

    structure = "general"
    canonical = False

    def vector_field(self, x: Array, mu: Array) -> Array:
        return self.driven_field(x, mu, np.zeros((*x.shape[:-1], len(self.input_names))))

    @abstractmethod
    def driven_field(self, x: Array, mu: Array, inputs: Array) -> Array:
        """dx/dt, `[tasks, points, state]`, under inputs `[tasks, points, input]`."""

    @abstractmethod
    def stored_energy(self, x: Array, mu: Array) -> Array:
        """E `[tasks, points]`."""

    @abstractmethod
    def powers(self, x: Array, mu: Array, inputs: Array) -> tuple[Array, Array]:
        """What friction takes and what inputs `[tasks, points, input]` give, both `[tasks, points]`."""
