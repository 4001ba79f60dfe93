"""How far an energy wanders along rollouts."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def energy_drift(energy: Array, spread: Array) -> Array:
    """Largest |H(x(t)) - H(x(0))| over all rollouts of a task, over the range of H on its evaluation box, `[tasks]`.

    H has a free constant, so H(x(0)) is no denominator.

    Args:
        energy: along the rollouts, `[tasks, trajectories, times]`.
        spread: max - min of the same energy on the evaluation box, `[tasks]`.
    """
    with np.errstate(invalid="ignore"):
        return np.abs(energy - energy[..., :1]).max(axis=(1, 2)) / spread
