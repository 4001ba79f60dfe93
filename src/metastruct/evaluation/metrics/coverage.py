"""How often an error bar holds the truth."""

from __future__ import annotations

import numpy as np

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric

LEVEL = 0.95


class Coverage(Metric):
    """Share of the components of the true field that lie inside of error bars of 95 % around the adapted one.

    Args:
        grid: on the evaluation grid, which reaches beyond the data, and not at the query states.
    """

    def __init__(self, grid: bool):
        self.grid = grid

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        states = adapted.grid_points if self.grid else adapted.query_points
        return {"": coverage(*adapted.error_bars(states, LEVEL, adapted.no_input(states)), adapted.law(states))}


def coverage(mean: Array, half: Array, true: Array) -> Array:
    """Share of all numbers of a task with |mean - true| <= half, `[tasks]`; 0.95 where error bars of 95 % are right.

    What is NaN in `true` was not seen, and does not count.
    """
    inside = np.where(np.isnan(true), np.nan, np.abs(mean - true) <= half)
    return np.nanmean(inside.reshape(len(true), -1), axis=1)
