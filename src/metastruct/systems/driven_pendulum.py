"""Damped driven pendulums in (q, v): m l^2 dv/dt = u - gamma v - m g l sin q, the torque u a sum of three sines."""

from __future__ import annotations

import numpy as np

from metastruct.systems.mechanism import GRAVITY, Mechanism, symmetric
from metastruct.systems.signals import sines
from metastruct.systems.starts.in_box import InBox
from metastruct.systems.system import Array, columns


class DrivenPendulum(Mechanism):
    """Pendulum with friction and a torque; parameters m, l, gamma."""

    name = "driven_pendulum"
    state_names = ("q", "v")
    input_names = ("torque",)
    parameter_names = ("m", "l", "gamma")
    positive = ("m", "l")
    not_negative = ("gamma",)
    start = InBox([[-2.5, 2.5], [-3.0, 3.0]])
    drive = np.ones((1, 1))

    def sample_inputs(self, generator: np.random.Generator, times: Array) -> Array:
        return sines(generator, times, 1, amplitude=2.0)

    def mass(self, q: Array, mu: Array) -> Array:
        m, length, _ = columns(mu)
        return symmetric(m * length**2 + 0 * q[..., 0])

    def potential(self, q: Array, mu: Array) -> Array:
        m, length, _ = columns(mu)
        return m * GRAVITY * length * (1 - np.cos(q[..., 0]))

    def slope(self, q: Array, mu: Array) -> Array:
        m, length, _ = columns(mu)
        return (m * GRAVITY * length * np.sin(q[..., 0]))[..., None]

    def damping(self, mu: Array) -> Array:
        return mu[:, 2, None, None]

    def small(self, x0: Array, mu: Array, times: Array) -> Array:
        """Librations `[tasks, points, times, state]` of angles so small that sin q = q, without a torque.

        q = e^(-d t) (a cos w t + b sin w t) with d = gamma/(2 m l^2), w^2 = g/l - d^2.
        """
        m, length, gamma = (column[..., None] for column in columns(mu))
        d = gamma / (2 * m * length**2)
        w = np.sqrt(GRAVITY / length - d**2)
        a, v = x0[..., :1], x0[..., 1:]
        b = (v + d * a) / w
        decay, cosine, sine = np.exp(-d * times), np.cos(w * times), np.sin(w * times)
        q = decay * (a * cosine + b * sine)
        return np.stack([q, -d * q + decay * w * (b * cosine - a * sine)], axis=-1)
