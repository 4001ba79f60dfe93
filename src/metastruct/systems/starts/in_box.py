"""Starts that are uniform in a box, which every member has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from metastruct.systems.starts.start import Array, Start, check_size, check_spread, intervals

if TYPE_CHECKING:
    from metastruct.systems.system import System


class InBox(Start):
    """Uniform and independent in each component; for a family without an energy, or to see another part of it.

    Args:
        box: `[low, high]` of each component; the two may be equal where the evaluation grid does not vary it.
        grid: the same of the box on which members are evaluated; None: that of the starts.

    Raises:
        ValueError: it is no such list, low is above high, or a number is not finite.
    """

    def __init__(self, box: Sequence[Sequence[float]], grid: Sequence[Sequence[float]] | None = None):
        self.ends = intervals(box, "start.box")
        self.grid = None if grid is None else intervals(grid, "start.grid")

    def sample(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        low, high = np.array(self.ends).T
        return generator.uniform(low, high, size=(count, len(low)))

    def box(self, system: System, mu: Array) -> Array:
        return np.tile(np.array(self.ends), (len(mu), 1, 1))

    def grid_box(self, system: System, mu: Array) -> Array:
        return np.tile(np.array(self.grid or self.ends), (len(mu), 1, 1))

    def check(self, system: System, count: int = 1) -> None:
        check_size(self.ends, system, "start.box", "a pair [low, high]")
        if self.grid is None:
            check_spread(self.ends, system, "start.box")
        else:
            check_size(self.grid, system, "start.grid", "a pair [low, high]")
            check_spread(self.grid, system, "start.grid")
