"""Units that a training takes of its own, where no law says what the numbers of the data mean.

    x = centre + spread x',   u likewise,   t = time t',   dx/dt = spread/time dx'/dt'

Inside, everything is of order one and fits single precision, whatever the units outside are; data in other units, by
powers of two, are the same bits. The time is that in which the fastest component crosses its spread,

    time = min_i spread_i / rms(dx_i/dt)

so that steps of an integrator mean the same in nanoseconds and in days. Sums of squares are taken of numbers that are
divided by the largest of them, and nothing is taken out of what never moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from metastruct.data.trajectory import Array, Member, Trajectory

STILL = 8 * np.finfo(float).eps  # of the size of a component: less is round-off


@dataclass(frozen=True)
class Units:
    """Units of states `[state]`, of inputs `[input]` where there are any, and of time."""

    centre: Array
    spread: Array
    time: float = 1.0
    input_centre: Array | None = None
    input_spread: Array | None = None

    @classmethod
    def of(cls, members: Sequence[Member], slopes: Array, commensurate: Callable[[Units], Units]) -> Units:
        """Those of some members.

        Args:
            slopes: dx/dt of the data `[rows, state]`, which say how fast they move.
            commensurate: the units nearest to some that change no form of the dynamics.
        """
        every = [one for member in members for one in member.trajectories]
        centre, spread = spread_of(np.concatenate([one.states for one in every]))
        largest = np.abs(slopes).max(axis=0)
        unit = np.where(largest > 0, largest, 1.0)
        speed = unit * np.sqrt(np.square(slopes / unit).mean(axis=0))
        moves = (speed > 0) & (spread > 0)
        time = (
            float((spread[moves] / speed[moves]).min())
            if moves.any()
            else max(one.times[-1] - one.times[0] for one in every)
        )
        driving = [one.inputs for one in every if one.inputs is not None]
        return commensurate(cls(centre, spread, time or 1.0, *(spread_of(np.concatenate(driving)) if driving else ())))

    def shared(self, groups: Sequence[Sequence[int]]) -> Units:
        """One unit for all components of a group, about the origin of the data."""
        centre, spread = self.centre.copy(), self.spread.copy()
        for group in map(list, groups):
            spread[group], centre[group] = np.sqrt(np.mean(spread[group] ** 2 + centre[group] ** 2)), 0.0
        return replace(self, centre=centre, spread=spread)

    def inside(self, member: Member) -> Member:
        """A member in these units."""
        return replace(member, trajectories=tuple(map(self._inside, member.trajectories)))

    def _inside(self, one: Trajectory) -> Trajectory:
        parts = {"times": (one.times - one.times[0]) / self.time, "states": (one.states - self.centre) / self.spread}
        if one.derivatives is not None:
            parts["derivatives"] = one.derivatives / self.spread * self.time
        if one.inputs is not None:
            parts["inputs"] = (one.inputs - self.input_centre) / self.input_spread
        if one.noise is not None:
            parts["noise"] = one.noise / self.spread
        if one.derivative_noise is not None:
            parts["derivative_noise"] = one.derivative_noise / self.spread * self.time
        return replace(one, **parts)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, as a model file keeps them."""
        return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in asdict(self).items()}


def spread_of(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of columns `[rows, n]`, both `[n]`; what never moves has its size for a spread."""
    centre, size = values.mean(axis=0), np.abs(values).max(axis=0)
    apart = np.abs(values - centre).max(axis=0)
    moves = apart > STILL * size
    unit = np.where(moves, apart, 1.0)
    spread = unit * np.sqrt(np.square((values - centre) / unit).mean(axis=0))
    return centre, np.where(moves, spread, np.where(size > 0, size, 1.0))
