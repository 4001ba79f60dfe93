"""How noisy are trajectories? The standard deviation of independent errors of each component, from the data alone.

The divided difference of order k of neighbouring samples, with weights w_j = 1/prod_{i != j} (t_j - t_i) that are made
of length one, is free of every polynomial of lower order, and of an error of standard deviation sigma it keeps exactly
sigma. Higher orders forget more of the motion and none of the noise, so the least over the orders is the estimate; the
median of the absolute values, over 0.6745, is not moved by outliers. (Hall, Kay, Titterington 1990, for equal spacing.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metastruct.data.trajectory import Array, Trajectory

ORDERS = range(2, 9)
FEWEST = 20  # differences, for a median that means something
NORMAL = 0.6745  # median of |x| of a standard normal x


def noise_level(trajectories: Sequence[Trajectory]) -> Array:
    """Standard deviation of the errors of each component `[state]`; NaN where there are too few samples to tell."""
    size = trajectories[0].states.shape[-1]
    levels = [np.full(size, np.nan)]
    for order in ORDERS:
        parts = [_differences(one, order) for one in trajectories if len(one) > order]
        values = np.concatenate(parts) if parts else np.empty((0, size))
        if len(values) >= FEWEST:
            levels.append(np.median(np.abs(values), axis=0) / NORMAL)
    several = np.stack(levels[1:] or levels)
    least: Array = several.min(axis=0)
    return least


def _differences(one: Trajectory, order: int) -> Array:
    """Of each run of order + 1 samples `[runs, state]`."""
    times = np.lib.stride_tricks.sliding_window_view(one.times, order + 1)
    states = np.lib.stride_tricks.sliding_window_view(one.states, order + 1, axis=0)
    apart = (times[:, :, None] - times[:, None, :]) / (times[:, -1:, None] - times[:, :1, None])
    weights = 1 / (apart + np.eye(order + 1)).prod(axis=-1)
    weights /= np.linalg.norm(weights, axis=-1, keepdims=True)
    differences: Array = np.einsum("rk,rsk->rs", weights, states)
    return differences
