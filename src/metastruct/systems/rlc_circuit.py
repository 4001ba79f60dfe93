"""Series circuits of a resistance, a coil, a capacitor and a source, x = (charge Q, flux f): port-Hamiltonian.

    dQ/dt = f/L,  df/dt = -Q/C - R f/L + u,   H = Q^2/(2 C) + f^2/(2 L),  dH/dt = -R (f/L)^2 + u f/L

The voltage u is a sum of three sines of amplitude 2.
"""

from __future__ import annotations

import numpy as np

from metastruct.systems.driven import Driven
from metastruct.systems.signals import sines
from metastruct.systems.starts.in_box import InBox
from metastruct.systems.system import Array, columns


class RLCCircuit(Driven):
    """A series circuit; parameters R, L, C."""

    name = "rlc_circuit"
    state_names = ("charge", "flux")
    input_names = ("voltage",)
    parameter_names = ("R", "L", "C")
    positive = ("L", "C")
    not_negative = ("R",)
    storing = True
    start = InBox([[-1.5, 1.5], [-1.5, 1.5]])

    def sample_inputs(self, generator: np.random.Generator, times: Array) -> Array:
        return sines(generator, times, 1, amplitude=2.0)

    def driven_field(self, x: Array, mu: Array, inputs: Array) -> Array:
        resistance, coil, capacitor = columns(mu)
        current = x[..., 1] / coil
        return np.stack([current, inputs[..., 0] - x[..., 0] / capacitor - resistance * current], axis=-1)

    def stored_energy(self, x: Array, mu: Array) -> Array:
        _, coil, capacitor = columns(mu)
        return x[..., 0] ** 2 / (2 * capacitor) + x[..., 1] ** 2 / (2 * coil)

    def powers(self, x: Array, mu: Array, inputs: Array) -> tuple[Array, Array]:
        resistance, coil, _ = columns(mu)
        current = x[..., 1] / coil
        return resistance * current**2, current * inputs[..., 0]
