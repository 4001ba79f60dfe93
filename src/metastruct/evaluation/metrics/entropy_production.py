"""Does an entropy ever fall along rollouts?"""

from __future__ import annotations

import numpy as np

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric


class EntropyProduction(Metric):
    """Least change of S between two times of a rollout that follow each other, over the range of S on all of a task's.

    Args:
        of_law: of the true entropy, not of the learned one.
    """

    def __init__(self, of_law: bool):
        self.of_law = of_law

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        entropy = adapted.true_entropy if self.of_law else adapted.learned_entropy
        return {"": entropy_production(entropy, adapted.times)}


def entropy_production(entropy: Array, times: Array) -> Array:
    """min (S(t_i+1) - S(t_i)) / (max S - min S) over all rollouts of a task, `[tasks]`; NaN where one is not finite.

    Not below zero, but for the error of the integrator, where the second law holds. S has a free constant and a free
    unit, and the ratio sees neither.

    Args:
        entropy: along the rollouts, `[tasks, trajectories, times]`.
        times: of the rollouts, `[times]` or as `entropy`; equal ones follow each other where a trajectory has ended.
    """
    passes = np.broadcast_to(np.diff(times, axis=-1) > 0, (*entropy.shape[:2], entropy.shape[2] - 1))
    with np.errstate(invalid="ignore"):
        spread = entropy.max(axis=(1, 2)) - entropy.min(axis=(1, 2))
        changes = np.where(passes, np.diff(entropy, axis=-1), np.inf)  # NaN stays, for the minimum of a lost rollout
        return changes.min(axis=(1, 2)) / spread
