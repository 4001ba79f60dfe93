"""Starts that are given one by one, the same for every member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from metastruct.systems.starts.start import Array, Rows, Start, check_size, check_spread, intervals, rows

if TYPE_CHECKING:
    from metastruct.systems.system import System


class Given(Start):
    """The first of these states, in their order; nothing is drawn.

    Args:
        states: the components of each start.
        box: `[low, high]` of each component, on which members are evaluated; None: that which bounds the states.
        cycle: begin again where more starts are asked for. A test member is then measured on trajectories that it was
            adapted to.

    Raises:
        ValueError: a list is none, a number is not finite, or low is above high.
    """

    def __init__(
        self, states: Sequence[Sequence[float]], box: Sequence[Sequence[float]] | None = None, cycle: bool = False
    ):
        self.states: Rows = rows(states, "start.states", "states")
        bounds = tuple((min(column), max(column)) for column in zip(*self.states, strict=True))
        self.ends, self.cycle = bounds if box is None else intervals(box, "start.box"), cycle

    def sample(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        """As of `Start`; errors as of `check`."""
        self.check(system, count)
        return np.array(self.states)[np.arange(count) % len(self.states)]

    def box(self, system: System, mu: Array) -> Array:
        return np.tile(np.array(self.ends), (len(mu), 1, 1))

    def check(self, system: System, count: int = 1) -> None:
        check_size(self.states[0], system, "each state of start.states", "a number")
        check_size(self.ends, system, "start.box", "a pair [low, high]")
        check_spread(self.ends, system, "start.box (by default that of start.states)")
        if count > len(self.states) and not self.cycle:
            raise ValueError(
                f"start.states must hold {count} states, one for each trajectory, got {len(self.states)}; "
                "give more, ask for fewer data.trajectories, or use start.cycle=true"
            )
