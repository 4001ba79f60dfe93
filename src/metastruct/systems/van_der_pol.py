"""Van der Pol oscillators: dq = p, dp = mu (1 - q^2) p - q, which gain energy where |q| < 1 and lose it beyond.

Every orbit but the rest at the origin tends to one limit cycle, of an amplitude in q close to 2 for every mu. Neither
conservative nor metriplectic: a system of which nothing but the vector field is known.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.in_box import InBox
from metastruct.systems.system import Array, System, columns


class VanDerPol(System):
    """Oscillator with a friction of either sign; parameter mu, its strength (van der Pol 1926)."""

    name = "van_der_pol"
    state_names = ("q", "p")
    parameter_names = ("mu",)
    positive = ("mu",)
    structure = "general"
    canonical = False
    start = InBox([[-2.5, 2.5], [-3.0, 3.0]])

    def vector_field(self, x: Array, mu: Array) -> Array:
        (strength,) = columns(mu)
        q, p = x[..., 0], x[..., 1]
        return np.stack([p, strength * (1 - q**2) * p - q], axis=-1)
