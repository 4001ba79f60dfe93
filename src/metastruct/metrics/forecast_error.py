"""How far forecasts are from what was seen, where nobody knows the law."""

from __future__ import annotations

import numpy as np

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric


class ForecastError(Metric):
    """Root mean square of (x - x_seen)/s over a horizon, of the state and of each component.

    Forecasts begin at the first observation of each query trajectory and are compared at its own instants. s is the
    spread of a component in training, so that units do not matter, and 1 is no better than a constant; or the noise,
    so that 1 is as good as observations are.

    Args:
        horizon: share of the longest query trajectory, above 0 and at most 1.
        unit: "spread" or "noise".
    """

    def __init__(self, horizon: float, unit: str):
        self.horizon, self.unit = horizon, unit

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        unit = adapted.spread if self.unit == "spread" else adapted.noise
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            squares = np.square((adapted.rollouts - adapted.query) / unit)
            ages = adapted.ages
            first = np.arange(ages.shape[-1]) == 1  # however coarse the samples are
            counts = (ages > 0) & ((ages <= self.horizon + 1e-12) | first)
            squares = np.where(np.isnan(adapted.query), 0.0, squares)  # what left the finite numbers is no less wrong
            sums = np.where(counts[..., None], squares, 0.0).sum((1, 2))
            means = sums / counts.sum((1, 2))[:, None]
        names = adapted.source.state_names
        return {"": np.sqrt(means.mean(-1))} | dict(zip(names, np.sqrt(means).T, strict=True))
