"""Chains of four masses in (q, v), springs and dampers between neighbours and at a wall, a force at the free end.

    m dv_i/dt = k (q_i-1 - 2 q_i + q_i+1) + c (v_i-1 - 2 v_i + v_i+1),   q_0 = 0, and no spring beyond the last

The force is a sum of three sines of amplitude 2. The law is linear: a matrix exponential is its solution without force.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.mechanism import Mechanism
from metastruct.systems.signals import sines
from metastruct.systems.starts.in_box import InBox
from metastruct.systems.system import Array

SIZE = 4
STRETCH = np.eye(SIZE) - np.eye(SIZE, k=-1)  # q_i - q_i-1
LINKS = STRETCH.T @ STRETCH


class SpringChain(Mechanism):
    """Four equal masses on a line; parameters m, k, c."""

    name = "spring_chain"
    state_names = (*(f"q{i}" for i in range(1, SIZE + 1)), *(f"v{i}" for i in range(1, SIZE + 1)))
    input_names = ("force",)
    parameter_names = ("m", "k", "c")
    positive = ("m", "k")
    not_negative = ("c",)
    start = InBox([[-1.0, 1.0]] * 2 * SIZE)
    grid_axes = (0, SIZE)
    drive = np.eye(SIZE)[:, -1:]

    def sample_inputs(self, generator: np.random.Generator, times: Array) -> Array:
        return sines(generator, times, 1, amplitude=2.0)

    def mass(self, q: Array, mu: Array) -> Array:
        return np.broadcast_to(mu[:, None, :1, None] * np.eye(SIZE), (*q.shape, SIZE))

    def potential(self, q: Array, mu: Array) -> Array:
        energy: Array = mu[:, 1:2] / 2 * np.square(q @ STRETCH.T).sum(-1)
        return energy

    def slope(self, q: Array, mu: Array) -> Array:
        force: Array = mu[:, None, 1:2] * (q @ LINKS)
        return force

    def damping(self, mu: Array) -> Array:
        return mu[:, 2, None, None] * LINKS
