"""How often an error bar holds the truth."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
NORMAL_95 = 1.959964


def coverage(mean: Array, std: Array, true: Array) -> Array:
    """Share of all numbers of a task with |mean - true| <= 1.96 std, `[tasks]`; 0.95 where error bars are right."""
    inside = np.abs(mean - true) <= NORMAL_95 * std
    return inside.reshape(len(true), -1).mean(axis=1)
