"""What the steps of the integrator do to a rollout."""

from __future__ import annotations

import numpy as np

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.errors import relative_error
from metastruct.evaluation.metric import Array, Metric


class IntegratorError(Metric):
    """|x_h - x_finer|_2 / |x_finer|_2 over what is seen of the query, x_finer being rolled out at half the step.

    NaN where x_finer leaves the finite numbers.
    """

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        finer = np.nan_to_num(adapted.finer_rollouts, nan=np.inf)
        states = np.where(np.isnan(adapted.query), np.nan, finer)
        return {"": relative_error(adapted.comparable(adapted.rollouts), adapted.comparable(states))}
