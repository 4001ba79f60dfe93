"""How far a momentum that the law keeps wanders along rollouts."""

from __future__ import annotations

import numpy as np

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.fitted import points_of
from metastruct.evaluation.metric import Array, Metric


class MomentumDrift(Metric):
    """Largest |P(x(t)) - P(x(0))| over all rollouts of a task, in the units of the data; NaN where one is not finite.

    Args:
        angular: of the angular momentum, not of the total one.
    """

    def __init__(self, angular: bool):
        self.angular = angular

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        law = adapted.system.angular_momentum if self.angular else adapted.system.momentum
        values = law(points_of(adapted.rollouts), adapted.parameters)
        values = values.reshape(*adapted.rollouts.shape[:-1], -1)
        with np.errstate(invalid="ignore"):
            return {"": np.abs(values - values[:, :, :1]).max(axis=(1, 2, 3))}
