"""How far adapted trajectories are from the true ones long after the training has ended."""

from __future__ import annotations

import numpy as np

from metastruct.data.simulate import integrate
from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.errors import relative_error
from metastruct.evaluation.metric import Array, Metric

TOLERANCE = 1e-9


class TenfoldError(Metric):
    """|x - x_true|_2 / |x_true|_2 along trajectories from the query starts over several times their horizon.

    Both are compared at as many instants as a query has. NaN for a task whose rollouts are not finite.

    Args:
        horizons: how many.
    """

    def __init__(self, horizons: int):
        self.horizons = horizons

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        times = self.horizons * np.linspace(0.0, np.ptp(adapted.times), adapted.query.shape[2])
        true = integrate(adapted.system, adapted.starts, adapted.parameters, times, TOLERANCE)
        return {"": relative_error(adapted.rolled_out(times), true)}
