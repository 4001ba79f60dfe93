"""States that a family visits: where a section of a box in two of many dimensions says nothing of a field."""

from __future__ import annotations

import numpy as np

from metastruct.data.simulate import integrate
from metastruct.systems.system import System

Array = np.ndarray
STREAM = 2  # of random numbers; 0 and 1 are those of training and test members
TOLERANCE = 1e-8


def visited_states(system: System, mu: Array, side: int, horizon: float) -> Array:
    """States `[tasks, side, side, state]`: so many new trajectories of each member, each at so many instants.

    Instants are equally spaced from 0 to the horizon. Each member has the same stream of random numbers, whoever is
    beside it.

    Args:
        mu: `[tasks, parameters]`.
    """
    starts = np.stack([system.sample_starts(np.random.default_rng(STREAM), member, side) for member in mu])
    return integrate(system, starts, mu, np.linspace(0.0, horizon, side), TOLERANCE)
