"""Inputs u(t) that families are driven by, drawn at the instants of a trajectory."""

from __future__ import annotations

import numpy as np

from metastruct.systems.starts.start import Array


def sines(generator: np.random.Generator, times: Array, inputs: int, amplitude: float, fastest: float = 5.0) -> Array:
    """`[times, inputs]`: sums of three sines that never exceed the amplitude; angular frequencies from 0.5 on."""
    frequency = generator.uniform(0.5, fastest, size=(3, inputs))
    phase = generator.uniform(0, 2 * np.pi, size=(3, inputs))
    signal: Array = amplitude / 3 * np.sin(frequency * times[:, None, None] + phase).sum(1)
    return signal


def steps(generator: np.random.Generator, times: Array, inputs: int, largest: float, width: float = 0.2) -> Array:
    """`[times, inputs]`: uniform in +-largest, held for so long before the next value is drawn."""
    number = np.floor((times - times[0]) / width + 1e-9).astype(int)
    signal: Array = generator.uniform(-largest, largest, size=(number[-1] + 1, inputs))[number]
    return signal
