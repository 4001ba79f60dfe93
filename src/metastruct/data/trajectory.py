"""What is seen of the members of a family: trajectories of any length and spacing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

Array = np.ndarray
PARTS = ("times", "states", "derivatives", "inputs")


@dataclass(frozen=True)
class Trajectory:
    """One trajectory of one member.

    Args:
        times: `[instants]`, increasing.
        states: `[instants, state]`.
        derivatives: dx/dt `[instants, state]`, where somebody knows it.
        inputs: u `[instants, input]`, where the member is driven.
        noise: standard deviation of the errors of the states `[state]`, where somebody knows it.
        derivative_noise: that of the errors of the derivatives `[state]`, where somebody knows it.

    Raises:
        ValueError: there is no instant, two of them do not have the same instants, a number is not finite, or the times
            do not increase.
    """

    times: Array
    states: Array
    derivatives: Array | None = None
    inputs: Array | None = None
    noise: Array | None = None
    derivative_noise: Array | None = None

    def __post_init__(self) -> None:
        if np.ndim(self.times) != 1 or not len(self.times):
            raise ValueError(f"times must have the shape [instants], got {list(np.shape(self.times))}")
        count = len(self.times)
        for name in PARTS[1:]:
            values = getattr(self, name)
            if values is None:
                continue
            if values.ndim != 2 or len(values) != count or not values.shape[1]:
                raise ValueError(
                    f"{name} must have the shape [{count}, ...] of a trajectory of {count} instants, "
                    f"got {list(values.shape)}"
                )
            if not np.isfinite(values).all():
                raise ValueError(
                    f"{name} of a trajectory must be finite, got {int((~np.isfinite(values)).sum())} NaN or infinite "
                    "numbers; leave out the instants that were not seen"
                )
        if self.derivatives is not None and self.derivatives.shape != self.states.shape:
            raise ValueError(
                f"derivatives must have the shape {list(self.states.shape)} of the states, "
                f"got {list(self.derivatives.shape)}"
            )
        for name in ("noise", "derivative_noise"):
            levels = getattr(self, name)
            if levels is not None and (
                np.shape(levels) != self.states.shape[1:] or not np.isfinite(levels).all() or (levels < 0).any()
            ):
                raise ValueError(
                    f"{name} must be {self.states.shape[1]} standard deviations, finite and not negative, one for each "
                    f"component of the states, got {levels}"
                )
        if not (np.diff(self.times) > 0).all() or not np.isfinite(self.times).all():
            raise ValueError("times of a trajectory must increase")

    def __len__(self) -> int:
        return len(self.times)

    @property
    def noisy(self) -> bool:
        """Does somebody say that its states or derivatives have errors?"""
        return any(level is not None and bool(np.any(level)) for level in (self.noise, self.derivative_noise))

    @property
    def widths(self) -> dict[str, int]:
        """How many numbers there are at an instant of each part that is there, by name."""
        parts = {"states": self.states, "derivatives": self.derivatives, "inputs": self.inputs}
        return {name: values.shape[1] for name, values in parts.items() if values is not None} | {"times": 1}

    def part(self, instants: slice | Array) -> Trajectory:
        """The trajectory at some of its instants, a slice or a mask `[instants]`."""
        return replace(self, **{name: getattr(self, name)[instants] for name in self.widths})


@dataclass(frozen=True)
class Member:
    """A member of a family as it is observed.

    Args:
        trajectories: at least one; either all of them have derivatives, and inputs, or none.
        parameters: its true mu `[parameters]`, or another label; for laws, plots and probes, never for a model.
        name: what people call it, where it has a name.

    Raises:
        ValueError: its trajectories do not have the same parts.
    """

    trajectories: tuple[Trajectory, ...]
    parameters: Array | None = None
    name: str = ""

    def __post_init__(self) -> None:
        for number, trajectory in enumerate(self.trajectories):
            if trajectory.widths != self.widths:
                raise ValueError(
                    f"trajectories of a member must have the same parts, got {_said(self.widths)} of the first and "
                    f"{_said(trajectory.widths)} of trajectory {number}"
                )

    @property
    def widths(self) -> dict[str, int]:
        """As of its trajectories; nothing where there are none."""
        return self.trajectories[0].widths if self.trajectories else {}

    def part(self, choice: slice) -> Member:
        """The member with some of its trajectories."""
        return replace(self, trajectories=self.trajectories[choice])


def check_alike(members: Sequence[Member]) -> None:
    """Have all members the same parts?

    Raises:
        ValueError: names the first that has others.
    """
    for number, member in enumerate(members):
        if member.widths != members[0].widths:
            raise ValueError(
                f"members must have the same parts, got {_said(members[0].widths)} of the first and "
                f"{_said(member.widths)} of member {number}"
            )


def _said(widths: Mapping[str, int]) -> str:
    return " and ".join(f"{size} {name}" for name, size in widths.items() if name != "times") or "no trajectory"


@dataclass(frozen=True)
class Queries:
    """Trajectories of several members side by side.

    Args:
        times: `[instants]` where all share them, else `[tasks, trajectories, instants]`, where shorter trajectories
            stay at their last instant.
        states: `[tasks, trajectories, instants, state]`, NaN where nobody knows them: after the last instant of a
            trajectory, and in all of those that a member has fewer of than another.
        inputs: u `[tasks, trajectories, instants, input]`, that of the last instant after it; None where nothing drives
            the members.
        derivatives: dx/dt, as `states`; None where nobody knows it.
    """

    times: Array
    states: Array
    inputs: Array | None = None
    derivatives: Array | None = None

    @classmethod
    def of(cls, members: Sequence[Member]) -> Queries:
        """Of all trajectories of these members."""
        first = members[0].trajectories[0]
        every = [trajectory for member in members for trajectory in member.trajectories]
        count, instants = max(len(member.trajectories) for member in members), max(map(len, every))
        times = np.zeros((len(members), count, instants))
        states = np.full((*times.shape, first.states.shape[-1]), np.nan)
        derivatives = None if first.derivatives is None else states.copy()
        inputs = None if first.inputs is None else np.zeros((*times.shape, first.inputs.shape[-1]))
        for task, member in enumerate(members):
            for number, one in enumerate(member.trajectories):
                length = len(one)
                times[task, number], times[task, number, :length] = one.times[-1], one.times
                states[task, number, :length] = one.states
                if derivatives is not None and one.derivatives is not None:
                    derivatives[task, number, :length] = one.derivatives
                if inputs is not None and one.inputs is not None:
                    inputs[task, number], inputs[task, number, :length] = one.inputs[-1], one.inputs
        alike = len(every) == count * len(members) and all(np.array_equal(one.times, first.times) for one in every)
        return cls(first.times if alike else times, states, inputs, derivatives)
