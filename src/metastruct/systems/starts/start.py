"""Where the initial states of a member lie: a piece of its own, that a family names and a user may exchange.

A start law draws the states at which trajectories begin and knows a box that bounds them. The evaluation grid lies on
that box, so that a law says what is seen of a family and where it is measured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from metastruct.systems.system import System

Array = np.ndarray
Rows = tuple[tuple[float, ...], ...]


class Start(ABC):
    """How the initial states of the members of a family are drawn, and the box that bounds them.

    A law of a family's own may ask more of it than `System` promises; one that a user may choose asks in `check`.
    """

    @abstractmethod
    def sample(self, system: System, generator: np.random.Generator, mu: Array, count: int) -> Array:
        """`[count, state]` initial states of one member mu `[parameters]`."""

    @abstractmethod
    def box(self, system: System, mu: Array) -> Array:
        """Box `[tasks, state, 2]` that bounds the initial states of the members mu."""

    def grid_box(self, system: System, mu: Array) -> Array:
        """Box `[tasks, state, 2]` of the evaluation grid."""
        return self.box(system, mu)

    def on_grid(self, system: System, x: Array, mu: Array) -> Array:
        """States x `[tasks, points, state]` of the grid, with the components beside its axes as the law wants."""
        return x

    def check(self, system: System, count: int = 1) -> None:
        """Can the law give `count` starts of each member of the system?

        Raises:
            ValueError: it cannot.
        """
        return None

    def fitted(self, system: System) -> Start:
        """The law as it is for this system, which may draw by it in a way of its own."""
        return self

    @property
    def laws(self) -> tuple[type[Start], ...]:
        """The classes whose source says what is drawn."""
        return tuple(law for law in type(self).__mro__ if issubclass(law, Start))

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"


def rows(values: Any, setting: str, kind: str) -> Rows:
    """A list of lists of finite numbers, one at least and all of one length.

    Raises:
        ValueError: it is something else; the message names the setting and what a row is.
    """
    try:
        table = np.array([[float(number) for number in row] for row in values], dtype=float)
    except (TypeError, ValueError):
        table = np.empty(0)
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise ValueError(f"{setting} must be a list of {kind} of finite numbers, got {_plain(values)}")
    return tuple(tuple(row) for row in table.tolist())


def intervals(values: Any, setting: str) -> Rows:
    """`[low, high]` of each component; errors as of `rows`, and where low is above high."""
    table = rows(values, setting, "[low, high] pairs")
    if any(len(row) != 2 or row[0] > row[1] for row in table):
        raise ValueError(f"{setting} must be a list of [low, high] pairs with low <= high, got {_plain(values)}")
    return table


def check_size(table: Sequence[object], system: System, setting: str, kind: str) -> None:
    """Is there one entry for each component?

    Raises:
        ValueError: there is not.
    """
    if len(table) != system.state_dim:
        names = ", ".join(system.state_names)
        raise ValueError(f"{setting} must hold {kind} for each of {names} of {system.name}, got {len(table)}")


def check_spread(table: Rows, system: System, setting: str) -> None:
    """Is a box wide where the evaluation grid varies?

    Raises:
        ValueError: it is not.
    """
    for axis in system.grid_axes:
        low, high = table[axis]
        if low == high:
            raise ValueError(
                f"{setting} must be wider than a point in {system.state_names[axis]}, which the evaluation grid "
                f"varies, got {low:g} to {high:g}"
            )


def _plain(values: Any) -> str:
    text = str(values)
    return text if len(text) <= 80 else f"{text[:80]} ..."
