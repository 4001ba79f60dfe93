"""Arms of two links in a vertical plane in (q, v): angles of the shoulder and of the elbow, both zero where it hangs.

    M11 = (m1 + m2) l1^2 + m2 l2^2 + 2 c,  M12 = m2 l2^2 + c,  M22 = m2 l2^2,  c = m2 l1 l2 cos q2
    V = -(m1 + m2) g l1 cos q1 - m2 g l2 cos(q1 + q2),  D = b I

Torques at both joints are held for 0.2 s and then drawn anew, uniform in +-3.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.mechanism import GRAVITY, Mechanism, symmetric
from metastruct.systems.signals import steps
from metastruct.systems.starts.in_box import InBox
from metastruct.systems.system import Array, columns


class TwoLinkArm(Mechanism):
    """Two point masses at the ends of links without mass; parameters m1, m2, l1, l2 and the friction b of a joint."""

    name = "two_link_arm"
    state_names = ("q1", "q2", "v1", "v2")
    input_names = ("torque1", "torque2")
    held_inputs = True
    parameter_names = ("m1", "m2", "l1", "l2", "b")
    positive = ("m1", "m2", "l1", "l2")
    not_negative = ("b",)
    start = InBox([[-2.0, 2.0], [-2.0, 2.0], [-1.0, 1.0], [-1.0, 1.0]])
    grid_axes = (0, 2)
    drive = np.eye(2)

    def sample_inputs(self, generator: np.random.Generator, times: Array) -> Array:
        return steps(generator, times, 2, largest=3.0)

    def mass(self, q: Array, mu: Array) -> Array:
        m1, m2, l1, l2, _ = columns(mu)
        upper, lower = (m1 + m2) * l1**2, m2 * l2**2
        coupling = m2 * l1 * l2 * np.cos(q[..., 1])
        return symmetric(upper + lower + 2 * coupling, lower + coupling, lower)

    def potential(self, q: Array, mu: Array) -> Array:
        m1, m2, l1, l2, _ = columns(mu)
        return -GRAVITY * ((m1 + m2) * l1 * np.cos(q[..., 0]) + m2 * l2 * np.cos(q.sum(-1)))

    def slope(self, q: Array, mu: Array) -> Array:
        m1, m2, l1, l2, _ = columns(mu)
        lower = m2 * GRAVITY * l2 * np.sin(q.sum(-1))
        return np.stack([(m1 + m2) * GRAVITY * l1 * np.sin(q[..., 0]) + lower, lower], axis=-1)

    def coriolis(self, q: Array, v: Array, mu: Array) -> Array:
        _, m2, l1, l2, _ = columns(mu)
        pull = m2 * l1 * l2 * np.sin(q[..., 1])
        first, second = v[..., 0], v[..., 1]
        return np.stack([-pull * second * (2 * first + second), pull * first**2], axis=-1)

    def damping(self, mu: Array) -> Array:
        return mu[:, 4, None, None] * np.eye(2)
