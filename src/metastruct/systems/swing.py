"""Pendulums as they are filmed, by angle and angular velocity: dv/dt = -(g/l) sin(q - q0) with g = 6.

The members and the motions of `pendulum` with v = p/(m l^2): the same work for dynamics that know no momentum. The mass
falls out of the motion; the energy alone depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metastruct.systems.pendulum import Pendulum
from metastruct.systems.starts.under_cap import UnderEnergyCap
from metastruct.systems.system import Array, System, columns


class Swing(System):
    """Pendulum of mass m and length l whose rest angle is q0, in (q, v); parameters m, l, q0."""

    name = "swing"
    state_names = ("q", "v")
    parameter_names = ("m", "l", "q0")
    positive = ("m", "l")
    structure = "conservative"
    canonical = False
    mechanical = True
    start = UnderEnergyCap()

    def __init__(self, parameters: Mapping[str, Sequence[float]]):
        super().__init__(parameters)
        self.pendulum = Pendulum(parameters)

    def vector_field(self, x: Array, mu: Array) -> Array:
        field = self.pendulum.vector_field(self._in_momenta(x, mu), mu)
        return np.stack([field[..., 0], field[..., 1] / self._inertia(mu)], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        return self.pendulum.energy(self._in_momenta(x, mu), mu)

    def energy_cap(self, mu: Array) -> Array:
        return self.pendulum.energy_cap(mu)

    def cap_box(self, mu: Array) -> Array:
        box = self.pendulum.cap_box(mu)
        box[:, 1] /= self._inertia(mu)
        return box

    def solution(self, x0: Array, mu: Array, times: Array) -> Array:
        """As of `Pendulum`, from x0 `[tasks, points, state]`."""
        path = self.pendulum.solution(self._in_momenta(x0, mu), mu, times)
        path[..., 1] /= self._inertia(mu)[..., None]
        return path

    def _in_momenta(self, x: Array, mu: Array) -> Array:
        return np.stack([x[..., 0], self._inertia(mu) * x[..., 1]], axis=-1)

    @staticmethod
    def _inertia(mu: Array) -> Array:
        """m l^2 `[tasks, 1]`."""
        m, length, _ = columns(mu)
        return m * length**2
