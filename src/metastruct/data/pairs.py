"""Is each momentum that of its position? In most mechanisms a position moves about as its own momentum says.

Of all columns x of the states, integrals V of all columns and pieces that are as long as those of `kinematics`,

    r_ij = <x_i, V_j> / |x_i| |V_j|,   each less its mean over a piece,

is one where column i moves as column j says. Where that holds of no position and its momentum, and of others, the
columns are in another order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import CubicSpline

from metastruct.data.kinematics import FEWEST
from metastruct.data.trajectory import Array, Member

FITS, MISSES = 0.95, 0.7  # r from which a column moves as another says, and up to which it does not
SHOWN = 3  # pairs


def disordered(members: Sequence[Member], names: Sequence[str]) -> str | None:
    """A line where states (q, p) are those of others; None where they may be what they are said to be."""
    r, half = _likeness(members, len(names)), len(names) // 2
    if r is None or max(r[i, i + half] for i in range(half)) > MISSES:
        return None
    np.fill_diagonal(r, 0.0)
    pairs = [(i, int(r[i].argmax())) for i in range(len(names)) if r[i].max() > FITS]
    if 2 * len(pairs) < half:
        return None
    motions = ", ".join(f"{names[i]} moves as {names[j]} says" for i, j in pairs[:SHOWN])
    other = f"not as {names[pairs[0][0] + half]}" if pairs[0][0] < half else "not the other way round"
    return f"{motions}, {other}; name all positions first, then their momenta in the same order"


def _likeness(members: Sequence[Member], size: int) -> Array | None:
    """r `[state, state]`; None where trajectories are too short."""
    sums = np.zeros((3, size, size))
    for one in (one for member in members for one in member.trajectories if len(one) >= FEWEST):
        integral = CubicSpline(one.times, one.states).antiderivative()(one.times)
        length = _piece(one.states)
        count = len(one) // length
        x, v = (part[: count * length].reshape(count, length, size) for part in (one.states, integral))
        x, v = ((part - part.mean(1, keepdims=True)).reshape(-1, size) for part in (x, v))
        sums += np.stack([x.T @ v, x.T @ x, v.T @ v])
    sizes = np.sqrt(np.outer(sums[1].diagonal(), sums[2].diagonal()))
    if not sizes.all():
        return None
    likeness: Array = sums[0] / sizes
    return likeness


def _piece(states: Array) -> int:
    """Samples after which most columns are elsewhere."""
    length, spread = FEWEST, states.std(0)
    while 2 * length <= len(states) and np.median((states[length:] - states[:-length]).std(0) / spread) < 1.0:
        length *= 2
    return min(length, len(states))
