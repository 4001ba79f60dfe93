"""How far an energy wanders along rollouts."""

from __future__ import annotations

import numpy as np

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric


class EnergyDrift(Metric):
    """Largest |H(x(t)) - H(x(0))| over all rollouts of a task, over the range of H on its evaluation grid.

    Of the learned energy, the range is that on the query states where nobody knows the law and so no grid.

    Args:
        of_law: of the true energy, not of the learned one.
    """

    def __init__(self, of_law: bool):
        self.of_law = of_law

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        if self.of_law:
            return {"": energy_drift(adapted.true_energy, adapted.true_energy_range)}
        return {"": energy_drift(adapted.learned_energy, adapted.learned_energy_range)}


def energy_drift(energy: Array, spread: Array) -> Array:
    """max |H(x(t)) - H(x(0))| / spread over all rollouts of a task, `[tasks]`; NaN where a rollout is not finite.

    H has a free constant, so H(x(0)) is no denominator.

    Args:
        energy: along the rollouts, `[tasks, trajectories, times]`.
        spread: max - min of the same energy on the evaluation grid, `[tasks]`.
    """
    with np.errstate(invalid="ignore"):
        return np.abs(energy - energy[..., :1]).max(axis=(1, 2)) / spread
