"""Models of one member alone, in numpy: a field that is fitted to its support, and what it forecasts.

x(t + h) from x(t) by the classical Runge-Kutta scheme, in parts of the intervals between samples
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from metastruct.data.trajectory import Array, Trajectory

PARTS = 4  # of the median interval, the longest that a step may be
Field = Callable[[Array], Array]


class Rival(ABC):
    """A way to make a field of the support of one member, without knowing of others."""

    @abstractmethod
    def fit(self, support: Sequence[Trajectory], spread: Array) -> Field:
        """dx/dt, states `[..., state]` in and out.

        Args:
            spread: of each component over the family `[state]`, so that units do not matter.

        Raises:
            ValueError: nothing can be fitted.
        """


def forecasts(field: Field, starts: Array, times: Array) -> Array:
    """States `[trajectories, instants, state]` from starts at the first of times `[trajectories, instants]`."""
    x, states = starts, [starts]
    intervals = np.diff(times, axis=1)
    longest = np.median(intervals[intervals > 0]) / PARTS if (intervals > 0).any() else 1.0
    with np.errstate(all="ignore"):
        for interval in intervals.T:
            count = min(int(np.ceil(interval.max() / longest * (1 - 1e-9))), 100 * PARTS)
            h = (interval / max(count, 1))[:, None]
            for _ in range(count):
                first = field(x)
                second = field(x + h / 2 * first)
                third = field(x + h / 2 * second)
                x = x + h / 6 * (first + 2 * second + 2 * third + field(x + h * third))
            states.append(x)
    return np.stack(states, axis=1)


def misfits(field: Field, trajectories: Sequence[Trajectory], spread: Array, starts: Array | None = None) -> Array:
    """Forecasts less what was seen, over the spread, of all trajectories one after another, large where they left.

    Args:
        spread: of each component, `[state]`.
        starts: `[trajectories, state]`; None: the first that was seen of each.
    """
    instants = max(map(len, trajectories))
    padded = [np.pad(one.times - one.times[0], (0, instants - len(one)), mode="edge") for one in trajectories]
    starts = np.stack([one.states[0] for one in trajectories]) if starts is None else starts
    paths = forecasts(field, starts, np.stack(padded))
    wrong = [((path[: len(one)] - one.states) / spread).ravel() for path, one in zip(paths, trajectories, strict=True)]
    return np.clip(np.nan_to_num(np.concatenate(wrong), nan=1e3, posinf=1e3, neginf=-1e3), -1e3, 1e3)
