"""What a learner and an adaptation may see of a set of tasks, as tensors.

`Recordings` hold all observations of some members, trajectories of any length laid end to end. `Observations` are those
that a batch of tasks is judged by: single points, or windows of consecutive samples of one trajectory, as the objective
asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from metastruct.data.trajectory import Array, Member, check_alike
from metastruct.data.units import Units

PARTS = ("states", "derivatives", "inputs", "times")


@dataclass(frozen=True)
class Observations:
    """Observations of a batch of tasks; the points of a window follow each other.

    Args:
        states: x `[..., tasks, points, state]`.
        derivatives: dx/dt of the same shape, or None where nobody knows it.
        inputs: u `[..., tasks, points, input]`, or None where nothing drives the members.
        times: t `[..., tasks, points, 1]` since the first instant of the trajectory, so that single precision holds
            them; None where nobody asks for them.
        mask: which points count `[..., tasks, points]`, or None where all do; the others fill up ragged tasks.
    """

    states: Tensor
    derivatives: Tensor | None = None
    inputs: Tensor | None = None
    times: Tensor | None = None
    mask: Tensor | None = None

    def __len__(self) -> int:
        return self.states.shape[-3]

    @property
    def count(self) -> int | Tensor:
        """Points of a task: one number for all, or `[..., tasks]`."""
        return self.states.shape[-2] if self.mask is None else self.mask.sum(-1)

    def to(self, place: torch.device | str | torch.dtype) -> Observations:
        """On another device, or in another precision."""
        numbers = isinstance(place, torch.dtype)
        return self._map(lambda values: values if numbers and not values.is_floating_point() else values.to(place))

    def of(self, tasks: Tensor | slice) -> Observations:
        """Those of some tasks, without a leading axis of replicas."""
        return self._map(lambda values: values[tasks])

    def at(self, points: Tensor) -> Observations:
        """Those at some points of each task, `[tasks, points]`."""
        return self._map(lambda values: values[torch.arange(len(points), device=points.device)[:, None], points])

    def apart(self, window: int) -> Observations:
        """Every window of every task as a task of its own, in their order."""
        return self._map(lambda values: values.unflatten(1, (-1, window)).flatten(0, 1))

    def repeated(self, times: int) -> Observations:
        """All tasks, so many times one after another."""
        return self._map(lambda values: values.repeat(times, *[1] * (values.dim() - 1)))

    def _map(self, function: Callable[[Tensor], Tensor]) -> Observations:
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: function(values) for name, values in parts.items() if values is not None})


class Recordings:
    """All observations of some members, trajectories and tasks laid end to end.

    Args:
        members: what is seen; all have derivatives and inputs, or none.
        dtype: of the numbers.
        lawful: has a law said in which units they are? Else a training takes units of its own.

    Raises:
        ValueError: some members have parts that others do not have.

    Attributes:
        parts: states, and where they are known derivatives, inputs and times, each `[rows, n]`.
        lengths: samples of every trajectory of every task.
    """

    def __init__(self, members: Sequence[Member], dtype: torch.dtype, lawful: bool = True):
        check_alike(members)
        self.lawful = lawful
        self.members = tuple(members)
        self.lengths = [[len(trajectory) for trajectory in member.trajectories] for member in members]
        every = [trajectory for member in members for trajectory in member.trajectories]
        arrays = {name: [getattr(trajectory, name) for trajectory in every] for name in PARTS}
        arrays["times"] = [(times - times[0])[:, None] for times in arrays["times"]]
        self.parts = {
            name: torch.as_tensor(np.ascontiguousarray(np.concatenate(values)), dtype=dtype)
            for name, values in arrays.items()
            if values[0] is not None
        }

    def __len__(self) -> int:
        return len(self.lengths)

    def slopes(self) -> tuple[Tensor, Tensor]:
        """States and dx/dt there, both `[rows, state]`: as they are known, else by differences along each trajectory.

        Differences are enough for scales, and for nothing else; a trajectory of one instant has none.

        Raises:
            ValueError: no trajectory has two instants.
        """
        states = self.parts["states"]
        if "derivatives" in self.parts:
            return states, self.parts["derivatives"]
        longer = [one for member in self.members for one in member.trajectories if len(one) > 1]
        if not longer:
            raise ValueError(
                "the scale of dx/dt needs derivatives, or a trajectory of at least two instants, got neither"
            )
        differences = [np.gradient(one.states, one.times, axis=0) for one in longer]
        parts = (np.concatenate([one.states for one in longer]), np.concatenate(differences))
        places, slopes = (torch.as_tensor(part, dtype=states.dtype) for part in parts)
        return places, slopes

    def in_units(self, commensurate: Callable[[Array], Array]) -> tuple[Recordings, Units]:
        """The same in units of their own, and these; errors as of `slopes`."""
        _, slopes = Recordings(self.members, torch.float64).slopes()
        units = Units.of(self.members, slopes.numpy(), commensurate)
        return Recordings([*map(units.inside, self.members)], self.parts["states"].dtype), units

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


def support(members: Sequence[Member], shots: int, seed: int, reads: Sequence[str], window: int) -> Observations:
    """At most `shots` observations of each member in float64, drawn at random without repetition.

    Fewer shots are the first of more, so that curves over shots are of nested sets. Where an objective asks for windows
    there are as many as hold the shots, one at least. A member that has fewer is filled up, and masked.

    Args:
        members: support trajectories of each.
        reads: which parts of the observations are wanted.
        window: consecutive samples that are drawn together.
    """
    recordings = Recordings(members, torch.float64)
    starts, counts = recordings.windows(window)
    first = np.concatenate([[0], counts.cumsum()])
    picks = [
        np.random.default_rng([seed, 1, task]).permutation(count)[: max(1, shots // window)]
        for task, count in enumerate(counts)
    ]
    rows = [starts.numpy()[before + pick] for before, pick in zip(first, picks, strict=False)]
    return _gathered(recordings, rows, reads, window)


def whole(members: Sequence[Member], reads: Sequence[str], window: int) -> Observations:
    """All observations of each member in float64, filled up and masked where others have more.

    Where an objective asks for windows, every trajectory is covered by as few as hold it, which overlap where its
    length is no multiple of theirs.

    Args:
        reads: which parts of the observations are wanted.

    Raises:
        ValueError: a trajectory is shorter than a window.
    """
    recordings, row, rows = Recordings(members, torch.float64), 0, []
    for lengths in recordings.lengths:
        starts = []
        for samples in lengths:
            if samples < window:
                raise ValueError(f"a trajectory must have at least the {window} samples of a window, got {samples}")
            starts.append(row + np.linspace(0, samples - window, -(-samples // window)).round().astype(int))
            row += samples
        rows.append(np.concatenate(starts))
    return _gathered(recordings, rows, reads, window)


def _gathered(recordings: Recordings, firsts: Sequence[Array], reads: Sequence[str], window: int) -> Observations:
    """The windows of each task that begin at the rows `firsts`, filled up where others have more, and masked."""
    most = max(map(len, firsts))
    padded = np.stack([np.pad(rows, (0, most - len(rows)), mode="edge") for rows in firsts])
    rows = (torch.from_numpy(padded)[..., None] + torch.arange(window)).flatten(1)
    parts = {name: recordings.parts[name][rows] for name in reads if name in recordings.parts}
    mask = None
    if any(len(rows) < most for rows in firsts):
        valid = torch.arange(most) < torch.tensor([[len(rows)] for rows in firsts])
        mask = valid.repeat_interleave(window, -1)
    return Observations(**parts, mask=mask)
