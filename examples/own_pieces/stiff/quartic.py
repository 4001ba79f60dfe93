"""Springs that stiffen: H = p^2/2 + k q^4/4. The period of an orbit falls as its amplitude grows."""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.under_cap import UnderEnergyCap
from metastruct.systems.system import Array, System, columns

CAP = 1.0


class Quartic(System):
    """Oscillator without a linear term; parameter k, its stiffness."""

    name = "quartic"
    state_names = ("q", "p")
    parameter_names = ("k",)
    positive = ("k",)
    structure = "conservative"
    canonical = True
    start = UnderEnergyCap()

    def vector_field(self, x: Array, mu: Array) -> Array:
        (stiffness,) = columns(mu)
        q, p = x[..., 0], x[..., 1]
        return np.stack([p, -stiffness * q**3], axis=-1)

    def energy(self, x: Array, mu: Array) -> Array:
        (stiffness,) = columns(mu)
        return x[..., 1] ** 2 / 2 + stiffness * x[..., 0] ** 4 / 4

    def energy_cap(self, mu: Array) -> Array:
        return np.full(len(mu), CAP)

    def cap_box(self, mu: Array) -> Array:
        widest = np.stack([(4 * CAP / mu[:, 0]) ** 0.25, np.full(len(mu), (2 * CAP) ** 0.5)], axis=-1)
        return np.stack([-widest, widest], axis=-1)
