"""Double pendulums in (q, v), angles from the vertical; chaotic from starts as high as these.

    M = [[(m1 + m2) l1^2, c], [c, m2 l2^2]],  c = m2 l1 l2 cos(q1 - q2),  V = -(m1 + m2) g l1 cos q1 - m2 g l2 cos q2

Starts are at rest, both angles uniform in +-2.5 rad; the grid varies both at velocities of 2.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.mechanism import GRAVITY, Mechanism, symmetric
from metastruct.systems.starts.in_box import InBox
from metastruct.systems.system import Array, columns


class DoublePendulum(Mechanism):
    """Two point masses on rods without mass, one hanging from the other; parameters m1, m2, l1, l2."""

    name = "double_pendulum"
    state_names = ("q1", "q2", "v1", "v2")
    parameter_names = ("m1", "m2", "l1", "l2")
    positive = parameter_names
    structure = "conservative"
    start = InBox([[-2.5, 2.5], [-2.5, 2.5], [0, 0], [0, 0]], [[-2.5, 2.5], [-2.5, 2.5], [0, 4], [0, 4]])
    drive = np.zeros((2, 0))

    def energy(self, x: Array, mu: Array) -> Array:
        return self.stored_energy(x, mu)

    def mass(self, q: Array, mu: Array) -> Array:
        m1, m2, l1, l2 = columns(mu)
        coupling = m2 * l1 * l2 * np.cos(q[..., 0] - q[..., 1])
        return symmetric((m1 + m2) * l1**2, coupling, m2 * l2**2)

    def potential(self, q: Array, mu: Array) -> Array:
        m1, m2, l1, l2 = columns(mu)
        return -GRAVITY * ((m1 + m2) * l1 * np.cos(q[..., 0]) + m2 * l2 * np.cos(q[..., 1]))

    def slope(self, q: Array, mu: Array) -> Array:
        m1, m2, l1, l2 = columns(mu)
        return GRAVITY * np.stack([(m1 + m2) * l1 * np.sin(q[..., 0]), m2 * l2 * np.sin(q[..., 1])], axis=-1)

    def coriolis(self, q: Array, v: Array, mu: Array) -> Array:
        _, m2, l1, l2 = columns(mu)
        pull = m2 * l1 * l2 * np.sin(q[..., 0] - q[..., 1])
        return np.stack([pull * v[..., 1] ** 2, -pull * v[..., 0] ** 2], axis=-1)
