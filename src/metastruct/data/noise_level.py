"""How noisy are observations that nobody knows the noise of? From differences of high order, component by component.

The divided difference of order q of a trajectory, with weights of norm one, has the variance of the noise and a share
of the signal that falls with the order, as (h omega / 2)^q of an oscillation that is seen at intervals h,

    e = sum_j c_j x_j,   c_j ~ 1 / prod_{l != j} (t_j - t_l),   sum_j c_j^2 = 1,   E e^2 = sigma^2 + signal^2.

So each order bounds the variance from above, and the lowest that does not exceed another is taken, for it is the most
certain (Hall, Kay and Titterington 1990, for one order). The relative error of the standard deviation is sqrt(v_q /
2n), v_q = binom(4q, 2q) / binom(2q, q)^2, for n differences. What is sampled so rarely that it looks like noise counts
as noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

from metastruct.data.trajectory import Array, Member

ORDERS = (2, 3, 4, 6, 8, 10, 12)
FEWEST = 8.0  # differences, as many as independent ones, from which a variance is worth something
CERTAIN = 2.0  # standard errors by which a higher order must be lower to be taken


def noise_levels(members: Sequence[Member], part: str = "states") -> Array:
    """Standard deviation of the noise `[members, state]`: as it is known, else estimated from each member's own.

    A member that is seen too little has that of all members together; nothing is left where nobody is seen enough.

    Args:
        part: what it is of, "states" or "derivatives".
    """
    given_as = {"states": "noise"}.get(part, "derivative_noise")
    size = members[0].trajectories[0].states.shape[1]
    sums, counts = np.zeros((2, len(members), len(ORDERS), size))
    for number, member in enumerate(members):
        for one in member.trajectories:
            for place, order in enumerate(ORDERS):
                if len(one) > order and getattr(one, given_as) is None:
                    squares = differences(one.times, getattr(one, part), order) ** 2
                    sums[number, place] += squares.sum(0)
                    counts[number, place] += len(squares) / excess(order)
    pooled = _chosen(sums.sum(0), counts.sum(0))
    levels = np.stack([_chosen(*pair, pooled) for pair in zip(sums, counts, strict=True)])
    for number, member in enumerate(members):
        explicit = [level for one in member.trajectories if (level := getattr(one, given_as)) is not None]
        if explicit:
            levels[number] = np.sqrt(np.mean(np.square(explicit), axis=0))
    return levels


def differences(times: Array, states: Array, order: int) -> Array:
    """e `[instants - order, state]`: of spread sigma where the states are nothing but noise."""
    windows = np.lib.stride_tricks.sliding_window_view(times, order + 1)
    windows = (windows - windows[:, :1]) / (windows[:, -1:] - windows[:, :1])
    gaps = windows[:, :, None] - windows[:, None, :] + np.eye(order + 1)
    logs = -np.log(np.abs(gaps)).sum(-1)
    weights = np.exp(logs - logs.max(-1, keepdims=True)) * (-1.0) ** np.arange(order + 1)
    weights /= np.linalg.norm(weights, axis=-1, keepdims=True)
    values = np.lib.stride_tricks.sliding_window_view(states, order + 1, axis=0)
    differences: Array = np.einsum("wj,wcj->wc", weights, values - values.mean(-1, keepdims=True))
    return differences


def excess(order: int) -> float:
    """v_q: how many neighbouring differences, which share samples, say as much as an independent one."""
    return comb(4 * order, 2 * order) / comb(2 * order, order) ** 2


def _chosen(sums: Array, counts: Array, otherwise: Array | None = None) -> Array:
    """Root of the mean square of the lowest order that none of the others contradicts, from `[orders, state]`.

    Args:
        counts: of independent differences.
        otherwise: where they are too few.
    """
    actual = counts * np.array([excess(order) for order in ORDERS])[:, None]
    enough = counts >= FEWEST
    means = np.where(enough, sums / np.maximum(actual, 1), np.inf)
    bound = (means * (1 + CERTAIN * np.sqrt(2 / np.maximum(counts, FEWEST)))).min(0)
    level = np.sqrt(np.take_along_axis(means, (means <= bound).argmax(0)[None], 0)[0])
    fallback = np.zeros(len(level)) if otherwise is None else otherwise
    return np.where(np.isfinite(level), level, fallback)
