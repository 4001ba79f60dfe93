"""What is seen of the members of a family: trajectories of any length and spacing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Trajectory:
    """One trajectory of one member.

    Args:
        times: `[instants]`, increasing.
        states: `[instants, state]`.
        derivatives: dx/dt `[instants, state]`, where somebody knows it.
        inputs: u `[instants, input]`, where the member is driven.

    Raises:
        ValueError: two of them do not have the same instants, or the times do not increase.
    """

    times: Array
    states: Array
    derivatives: Array | None = None
    inputs: Array | None = None

    def __post_init__(self) -> None:
        count = len(self.times)
        for name in ("states", "derivatives", "inputs"):
            values = getattr(self, name)
            if values is not None and (values.ndim != 2 or len(values) != count):
                raise ValueError(
                    f"{name} must have the shape [{count}, ...] of a trajectory of {count} instants, "
                    f"got {list(values.shape)}"
                )
        if self.derivatives is not None and self.derivatives.shape != self.states.shape:
            raise ValueError(
                f"derivatives must have the shape {list(self.states.shape)} of the states, "
                f"got {list(self.derivatives.shape)}"
            )
        if not (np.diff(self.times) > 0).all():
            raise ValueError("times of a trajectory must increase")

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True)
class Member:
    """A member of a family as it is observed.

    Args:
        trajectories: at least one; either all of them have derivatives, and inputs, or none.
        parameters: its true mu `[parameters]`, or another label; for laws, plots and probes, never for a model.
    """

    trajectories: tuple[Trajectory, ...]
    parameters: Array | None = None

    def part(self, choice: slice) -> Member:
        """The member with some of its trajectories."""
        return replace(self, trajectories=self.trajectories[choice])


def queries(members: Sequence[Member]) -> tuple[Array, Array]:
    """Times `[instants]` or `[tasks, trajectories, instants]` and states `[tasks, trajectories, instants, state]`.

    One axis of times where all trajectories share it. Else shorter trajectories stay at their last instant, with states
    of NaN: nobody knows them; nor any of the trajectories that a member has fewer of than another.
    """
    first = members[0].trajectories[0]
    every = [trajectory for member in members for trajectory in member.trajectories]
    count = max(len(member.trajectories) for member in members)
    if len(every) == count * len(members) and all(np.array_equal(one.times, first.times) for one in every):
        return first.times, np.stack([np.stack([one.states for one in member.trajectories]) for member in members])
    instants = max(map(len, every))
    times = np.zeros((len(members), count, instants))
    states = np.full((*times.shape, first.states.shape[-1]), np.nan)
    for task, member in enumerate(members):
        for number, one in enumerate(member.trajectories):
            times[task, number] = one.times[-1]
            times[task, number, : len(one)] = one.times
            states[task, number, : len(one)] = one.states
    return times, states
