"""All observations of some members, trajectories of any length laid end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metastruct.data.crude_law import sensitivities
from metastruct.data.noise_level import noise_levels
from metastruct.data.observations import ESTIMATED, PARTS
from metastruct.data.smoothing import smoothed
from metastruct.data.steady import Steady, is_even, lie_close, steadied
from metastruct.data.trajectory import Array, Member, check_alike
from metastruct.data.units import Units


class Recordings:
    """All observations of some members, trajectories and tasks laid end to end.

    Args:
        members: what is seen; all have derivatives and inputs, or none.
        dtype: of the numbers.
        lawful: has a law said in which units they are? Else a training takes units of its own.
        held: does an input stay as it is from one instant to the next? Else it goes along a straight line.

    Raises:
        ValueError: some members have parts that others do not have.

    Attributes:
        parts: states, and where they are known derivatives, inputs and times, each `[rows, n]`.
        lengths: samples of every trajectory of every task.
    """

    def __init__(self, members: Sequence[Member], dtype: torch.dtype, lawful: bool = True, held: bool = False):
        check_alike(members)
        self.members, self.dtype, self.lawful, self.held = tuple(members), dtype, lawful, held
        self.lengths = [[len(trajectory) for trajectory in member.trajectories] for member in members]
        every = [trajectory for member in members for trajectory in member.trajectories]
        arrays = {name: [getattr(trajectory, name) for trajectory in every] for name in PARTS}
        arrays["times"] = [(times - times[0])[:, None] for times in arrays["times"]]
        self.parts = {name: self._rows(values) for name, values in arrays.items() if values[0] is not None}

    def _rows(self, arrays: Sequence[Array]) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(np.concatenate(arrays)), dtype=self.dtype)

    def __len__(self) -> int:
        return len(self.lengths)

    def read(self, names: Sequence[str]) -> dict[str, Tensor]:
        """The parts of these names that there are, estimates among them, each `[rows, n]`."""
        return {name: part for name in names if (part := self._part(name)) is not None}

    def _part(self, name: str) -> Tensor | None:
        if name in ESTIMATED and name not in self.parts:
            if name == "derivative_noise" and "derivatives" not in self.parts:
                return None
            if name == "parameters" and self.members[0].parameters is None:
                return None
            rows: dict[str, Callable[[], list[Array]]] = {
                "noise": lambda: self._tiled(self.noise),
                "derivative_noise": lambda: self._tiled(self.derivative_noise),
                "smooth": lambda: self.smooth,
                "crude_law": self._crude_law,
                "parameters": lambda: self._tiled(member.parameters for member in self.members),
            }
            self.parts[name] = self._rows(rows[name]())
        return self.parts.get(name)

    def _tiled(self, values: Iterable[Any]) -> list[Array]:
        """What each member has, at each of its instants."""
        pairs = zip(self.members, values, strict=True)
        return [np.tile(each, (len(one), 1)) for member, each in pairs for one in member.trajectories]

    def _crude_law(self) -> list[Array]:
        rows, smooth = list[Array](), iter(self.smooth)
        for member in self.members:
            smoothed_states = [next(smooth) for _ in member.trajectories]
            rows += [df.reshape(len(df), -1) for df in sensitivities(member, smoothed_states)]
        return rows

    @cached_property
    def noise(self) -> Array:
        """Standard deviation of the errors of the states `[members, state]`."""
        return noise_levels(self.members)

    @cached_property
    def derivative_noise(self) -> Array:
        """Standard deviation of the errors of the derivatives `[members, state]`."""
        return noise_levels(self.members, "derivatives")

    @property
    def noisy(self) -> bool:
        """Does somebody say of an observation that it has errors?"""
        return any(one.noisy for member in self.members for one in member.trajectories)

    @cached_property
    def smooth(self) -> list[Array]:
        """The states of every trajectory without what is known to be noise, `[instants, state]`."""
        pairs = zip(self.members, self.noise, strict=True)
        return [one for member, noise in pairs for one in smoothed(member.trajectories, noise)]

    def slopes(self) -> tuple[Tensor, Tensor]:
        """States and dx/dt there, both `[rows, state]`: as they are known, else by differences along each trajectory.

        Differences of smoothed states are enough for scales, and for nothing else; where instants lie close together,
        at others whose spacing changes slowly, for what is left of the noise is large over so short a time. A
        trajectory of one instant has none.

        Raises:
            ValueError: no trajectory has two instants.
        """
        states, derivatives = self.parts["states"], self.parts.get("derivatives")
        if derivatives is not None:
            return states, derivatives
        recordings = (
            self.steady if any(lie_close(one.times) for member in self.members for one in member.trajectories) else self
        )
        every = [one for member in recordings.members for one in member.trajectories]
        longer = [(one, x) for one, x in zip(every, recordings.smooth, strict=True) if len(one) > 1]
        if not longer:
            raise ValueError(
                "the scale of dx/dt needs derivatives, or a trajectory of at least two instants, got neither"
            )
        differences = [np.gradient(x, one.times, axis=0) for one, x in longer]
        parts = (np.concatenate([one.states for one, _ in longer]), np.concatenate(differences))
        places, slopes = (torch.as_tensor(part, dtype=states.dtype) for part in parts)
        return places, slopes

    def in_units(self, commensurate: Callable[[Units], Units]) -> tuple[Recordings, Units]:
        """The same in units of their own, and these; errors as of `slopes`."""
        _, slopes = Recordings(self.members, torch.float64).slopes()
        units = Units.of(self.members, slopes.numpy(), commensurate)
        return Recordings([*map(units.inside, self.members)], self.parts["states"].dtype, held=self.held), units

    @cached_property
    def steady(self) -> Recordings:
        """The same at instants whose spacing changes slowly, without derivatives; as it is where all are even."""
        if all(is_even(one.times) for member in self.members for one in member.trajectories):
            return self
        smooth, members, every = iter(self.smooth), list[Member](), list[Steady]()
        for member, noise in zip(self.members, self.noise, strict=True):
            twins = [steadied(one, next(smooth), noise, self.held) for one in member.trajectories]
            members.append(replace(member, trajectories=tuple(twin.trajectory for twin in twins)))
            every += twins
        recordings = Recordings(members, self.dtype, self.lawful, self.held)
        recordings.noise, recordings.smooth = self.noise, [twin.smooth for twin in every]
        recordings.parts["noise"] = self._rows([twin.noise for twin in every])
        return recordings

    @property
    def counts(self) -> Array:
        """Rows of each task `[tasks]`."""
        return np.array([sum(lengths) for lengths in self.lengths])

    def windows(self, length: int) -> tuple[Tensor, Array]:
        """The first row of every window of consecutive samples, task by task, and how many each task has `[tasks]`.

        Raises:
            ValueError: a task has no trajectory that is as long.
        """
        if length == 1:
            return torch.arange(int(self.counts.sum())), self.counts
        starts: list[int] = []
        counts, row = [], 0
        for task, lengths in enumerate(self.lengths):
            before = len(starts)
            for samples in lengths:
                starts += range(row, row + samples - length + 1)
                row += samples
            counts.append(len(starts) - before)
            if not counts[-1]:
                raise ValueError(
                    f"a window of {length} samples needs a trajectory of as many, and the longest of task {task} has "
                    f"{max(lengths)}"
                )
        return torch.tensor(starts), np.array(counts)
