"""What the settings of a data source say of its members before anybody makes or reads them, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outline:
    """What validation asks of data; what only the data themselves tell is None.

    Args:
        states, inputs: components of either.
        derivatives: does somebody know dx/dt?
        trajectories: starts of each member that a start law must give; None also where no law gives them.
        longest: samples of the longest trajectory of each member.
        duration: time of the longest trajectory.
        support: observations of the test member that has most to adapt to.
        training: members of the training split.
        tasks: members of both splits.
        numbers: of all states.
        settings: those that decide on `support`, `numbers` and `duration`, for people.
    """

    states: int
    inputs: int = 0
    derivatives: bool | None = None
    trajectories: int | None = None
    longest: int | None = None
    duration: float | None = None
    support: int | None = None
    training: int | None = None
    tasks: int | None = None
    numbers: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def provides(self) -> dict[str, int | bool]:
        """What pieces may need of the data, by the words of their yamls; coordinates are half of the states."""
        sizes = {"states": self.states, "coordinates": self.states // 2, "inputs": self.inputs}
        return sizes | {"states_only": self.derivatives is False}
