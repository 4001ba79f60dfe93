"""How far forecasts are from what was seen, where nobody knows the law."""

from __future__ import annotations

import numpy as np

from metastruct.data.noise_level import EXACT
from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric


class ForecastError(Metric):
    """Root mean square of (x - x_seen)/s over a horizon, of the state and of each component.

    Forecasts begin at the first observation of each query trajectory and are compared at its own instants. s is the
    spread of a component in training, so that units do not matter, and 1 is no better than a constant; or the noise,
    so that 1 is as good as observations are. In units of the noise it is measured of the components that have some,
    and not at all of exact observations: their error is a share of the spread.

    Args:
        horizon: share of the longest query trajectory, above 0 and at most 1.
        unit: "spread" or "noise".
    """

    def __init__(self, horizon: float, unit: str):
        self.horizon, self.unit = horizon, unit

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        unit = adapted.spread if self.unit == "spread" else adapted.noise
        scored = unit > EXACT * adapted.spread  # none where nobody knows the noise
        if not scored.any():
            return {}
        parts = root_mean_square(adapted.rollouts, adapted.query, adapted.times, unit, self.horizon)[:, scored]
        whole = np.sqrt(np.square(parts).mean(-1))
        return {"": whole} | dict(zip(np.array(adapted.source.state_names)[scored].tolist(), parts.T, strict=True))


def root_mean_square(paths: Array, states: Array, times: Array, unit: Array, horizon: float) -> Array:
    """Of (path - states)/unit over a share of the longest trajectory, at least to the first instant after the start.

    Args:
        paths, states: `[tasks, trajectories, times, state]`, NaN in `states` where it was not.
        times: `[times]`, or `[tasks, trajectories, times]`.

    Returns:
        `[tasks, state]`; not finite where a path is not.
    """
    unseen = np.isnan(states)
    times = np.broadcast_to(times, states.shape[:-1])
    ages = np.where(unseen.any(-1), np.nan, times - times[..., :1])
    ages = ages / (np.nanmax(ages) or 1.0)
    counts = (ages > 0) & ((ages <= horizon + 1e-12) | (np.arange(ages.shape[-1]) == 1))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        squares = np.where(counts[..., None] & ~unseen, np.square((paths - states) / unit), 0.0)
        return np.asarray(np.sqrt(squares.sum((1, 2)) / counts.sum((1, 2))[:, None]))
