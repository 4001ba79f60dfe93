"""How noisy are observations that nobody knows the noise of? From differences of high order, component by component.

The divided difference of order q of a trajectory, with weights of norm one, has the variance of the noise and a share
of the signal that falls with the order, as (h omega / 2)^q of an oscillation that is seen at intervals h,

    e = sum_j c_j x_j,   c_j ~ 1 / prod_{l != j} (t_j - t_l),   sum_j c_j^2 = 1,   E e^2 = sigma^2 + signal^2.

So each order bounds the variance from above, and the lowest that does not exceed another is taken, for it is the most
certain (Hall, Kay and Titterington 1990, for one order). The relative error of the standard deviation is sqrt(v_q /
2n), v_q = binom(4q, 2q) / binom(2q, q)^2, for n differences. Those beyond three standard deviations are outliers and
left out, beginning with that of the median (Huber 1981): 2 % of outliers of any size move the level by a twentieth, and
a mean of all squares by factors of ten. What is sampled so rarely that it looks like noise counts as noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np
from scipy.stats import chi2

from metastruct.data.trajectory import Array, Member, Trajectory

ORDERS = (2, 3, 4, 6, 8, 10, 12)
FEWEST = 8.0  # differences, as many as independent ones, from which a variance is worth something
CERTAIN = 2.0  # standard errors by which a higher order must be lower to be taken
NORMAL = 0.6745  # median of |x| of a standard normal x
TRIM, ROUNDS = 3.0, 5  # standard deviations from which a difference is an outlier, and how often they are renewed
EXACT = 1e-4  # of the spread: what is below is round-off, rounded digits or curvature, and no unit for an error
EVEN = 1e-10  # share of the interval by which the intervals of equally spaced instants differ at most
KEPT = chi2.cdf(TRIM**2, 3) / chi2.cdf(TRIM**2, 1)  # mean square of what is left of a standard normal x


def noise_level(trajectories: Sequence[Trajectory]) -> Array:
    """Standard deviation of the errors of each component `[state]`; NaN where there are too few samples to tell."""
    return _chosen(_differences(trajectories, "states"), trajectories[0].states.shape[1], np.nan)


def noise_levels(members: Sequence[Member], part: str = "states") -> Array:
    """Standard deviation of the noise `[members, state]`: as it is known, else estimated from each member's own.

    A member that is seen too little has that of all members together; zero where nobody is seen enough, or at all.

    Args:
        part: what it is of, "states" or "derivatives".
    """
    given_as = {"states": "noise"}.get(part, "derivative_noise")
    size = members[0].trajectories[0].states.shape[1]
    unknown = [
        [one for one in member.trajectories if getattr(one, given_as) is None and getattr(one, part) is not None]
        for member in members
    ]
    each = [_differences(trajectories, part) for trajectories in unknown]
    levels = np.empty((len(members), size))
    for number, member in enumerate(members):
        explicit = [level for one in member.trajectories if (level := getattr(one, given_as)) is not None]
        levels[number] = (
            np.sqrt(np.mean(np.square(explicit), axis=0)) if explicit else _chosen(each[number], size, np.nan)
        )
    if np.isnan(levels).any():
        pooled = _chosen([[part for one in each for part in one[k]] for k in range(len(ORDERS))], size, 0.0)
        levels = np.where(np.isnan(levels), pooled, levels)
    return levels


def _differences(trajectories: Sequence[Trajectory], part: str) -> list[list[Array]]:
    """Of each order, those of each trajectory that is long enough, `[instants - order, state]`."""
    return [
        [differences(one.times, getattr(one, part), order) for one in trajectories if len(one) > order]
        for order in ORDERS
    ]


def differences(times: Array, states: Array, order: int) -> Array:
    """e `[instants - order, state]`: of spread sigma where the states are nothing but noise."""
    weights = difference_weights(times, order)
    values = np.lib.stride_tricks.sliding_window_view(states, order + 1, axis=0)
    values = values - values.mean(-1, keepdims=True)
    differences: Array = values @ weights[0] if len(weights) == 1 else np.einsum("wj,wcj->wc", weights, values)
    return differences


def difference_weights(times: Array, order: int) -> Array:
    """c of norm one `[instants - order, order + 1]`, or one row where the instants are equally spaced."""
    windows, steps = np.lib.stride_tricks.sliding_window_view(times, order + 1), np.diff(times)
    if np.ptp(steps) <= EVEN * steps.max():  # one set of weights will do
        windows = windows[:1]
    windows = (windows - windows[:, :1]) / (windows[:, -1:] - windows[:, :1])
    gaps = windows[:, :, None] - windows[:, None, :] + np.eye(order + 1)
    logs = -np.log(np.abs(gaps)).sum(-1)
    weights = np.exp(logs - logs.max(-1, keepdims=True)) * (-1.0) ** np.arange(order + 1)
    of_norm_one: Array = weights / np.linalg.norm(weights, axis=-1, keepdims=True)
    return of_norm_one


def excess(order: int) -> float:
    """v_q: how many neighbouring differences, which share samples, say as much as an independent one."""
    return comb(4 * order, 2 * order) / comb(2 * order, order) ** 2


def _chosen(differences_by_order: Sequence[Sequence[Array]], size: int, otherwise: Array | float) -> Array:
    """Root of the mean square `[state]` of the lowest order that none of the others contradicts.

    Args:
        otherwise: where they are too few.
    """
    means, bounds = np.full((2, len(ORDERS), size), np.inf)
    for place, (order, parts) in enumerate(zip(ORDERS, differences_by_order, strict=True)):
        count = sum(map(len, parts)) / excess(order)
        if count >= FEWEST:
            means[place] = _mean_square(np.concatenate(parts))
            bounds[place] = means[place] * (1 + CERTAIN * np.sqrt(2 / count))
    lowest = (means <= bounds.min(0)).argmax(0)
    level = np.sqrt(np.take_along_axis(means, lowest[None], 0)[0])
    return np.where(np.isfinite(level), level, otherwise)


def _mean_square(values: Array) -> Array:
    """Of each column `[state]` without its outliers, as it would be of all if they were normal."""
    squares = values**2
    level: Array = np.median(squares, axis=0) / NORMAL**2
    level = np.where(level > 0, level, squares.mean(0))  # most are alike to the last digit
    for _ in range(ROUNDS):
        inside = squares <= TRIM**2 * level
        last, level = level, (squares * inside).sum(0) / np.maximum(inside.sum(0), 1) / KEPT
        if np.array_equal(level, last):
            break
    return level
