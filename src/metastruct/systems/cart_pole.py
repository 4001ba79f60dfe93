"""Carts with a hanging pole in (q, v): position s of the cart, angle q of the pole, zero where it hangs.

    M = [[M + m, m l cos q], [m l cos q, m l^2]],  V = -m g l cos q,  D = diag(b, 0)

A force on the cart is held for 0.2 s and then drawn anew, uniform in +-5.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.mechanism import GRAVITY, Mechanism, symmetric
from metastruct.systems.signals import steps
from metastruct.systems.starts.in_box import InBox
from metastruct.systems.system import Array, columns


class CartPole(Mechanism):
    """A point mass on a rod that hangs from a cart with friction; parameters cart, pole (masses), l, b."""

    name = "cart_pole"
    state_names = ("s", "q", "vs", "vq")
    input_names = ("force",)
    held_inputs = True
    parameter_names = ("cart", "pole", "l", "b")
    positive = ("cart", "pole", "l")
    not_negative = ("b",)
    start = InBox([[-1.0, 1.0], [-2.5, 2.5], [-1.0, 1.0], [-3.0, 3.0]])
    grid_axes = (1, 3)
    drive = np.array([[1.0], [0.0]])

    def sample_inputs(self, generator: np.random.Generator, times: Array) -> Array:
        return steps(generator, times, 1, largest=5.0)

    def mass(self, q: Array, mu: Array) -> Array:
        cart, pole, length, _ = columns(mu)
        return symmetric(cart + pole, pole * length * np.cos(q[..., 1]), pole * length**2)

    def potential(self, q: Array, mu: Array) -> Array:
        _, pole, length, _ = columns(mu)
        return -pole * GRAVITY * length * np.cos(q[..., 1])

    def slope(self, q: Array, mu: Array) -> Array:
        _, pole, length, _ = columns(mu)
        return np.stack([0 * q[..., 0], pole * GRAVITY * length * np.sin(q[..., 1])], axis=-1)

    def coriolis(self, q: Array, v: Array, mu: Array) -> Array:
        _, pole, length, _ = columns(mu)
        return np.stack([-pole * length * np.sin(q[..., 1]) * v[..., 1] ** 2, 0 * v[..., 1]], axis=-1)

    def damping(self, mu: Array) -> Array:
        return symmetric(mu[:, 3], 0 * mu[:, 3], 0 * mu[:, 3])
