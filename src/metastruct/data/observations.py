"""What a learner and an adaptation may see of a set of tasks, as tensors.

`Recordings` hold all observations of some members, trajectories of any length laid end to end. `Observations` are those
that a batch of tasks is judged by: single points, or windows of consecutive samples of one trajectory, as the objective
asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from metastruct.data.crude_law import sensitivities
from metastruct.data.noise_level import noise_levels
from metastruct.data.smoothing import smoothed
from metastruct.data.trajectory import Array, Member, check_alike
from metastruct.data.units import Units

PARTS = ("states", "derivatives", "inputs", "times")
ESTIMATED = (
    "noise",
    "derivative_noise",
    "smooth",
    "crude_law",
)  # what follows from the others, where somebody asks for it


@dataclass(frozen=True)
class Observations:
    """Observations of a batch of tasks; the points of a window follow each other.

    Args:
        states: x `[..., tasks, points, state]`.
        derivatives: dx/dt of the same shape, or None where nobody knows it.
        inputs: u `[..., tasks, points, input]`, or None where nothing drives the members.
        times: t `[..., tasks, points, 1]` since the first instant of the trajectory, so that single precision holds
            them; None where nobody asks for them.
        noise: standard deviation of the errors of the states, as they; given, else estimated. None as of the times.
        derivative_noise: the same of the derivatives.
        smooth: the states, smoothed as that noise wants it. None as of the times.
        crude_law: df/dx `[..., tasks, points, state * state]` of a polynomial law of each member. None as of the times.
        operator: what an objective made of all this, once and for all `[..., tasks, points, n]`, as `Objective.renewed`
            has it; None where it made nothing.
        mask: which points count `[..., tasks, points]`, or None where all do; the others fill up ragged tasks.
    """

    states: Tensor
    derivatives: Tensor | None = None
    inputs: Tensor | None = None
    times: Tensor | None = None
    noise: Tensor | None = None
    derivative_noise: Tensor | None = None
    smooth: Tensor | None = None
    crude_law: Tensor | None = None
    operator: Tensor | None = None
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
        if len(self) == 1:
            return self._map(lambda values: values.expand(times, *values.shape[1:]))
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
        self.members, self.dtype, self.lawful = tuple(members), dtype, lawful
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
            rows = {
                "noise": lambda: self._level_rows(self.noise),
                "derivative_noise": lambda: self._level_rows(self.derivative_noise),
                "smooth": lambda: self.smooth,
                "crude_law": self._crude_law,
            }[name]
            self.parts[name] = self._rows(rows())
        return self.parts.get(name)

    def _level_rows(self, levels: Array) -> list[Array]:
        pairs = zip(self.members, levels, strict=True)
        return [np.tile(noise, (len(one), 1)) for member, noise in pairs for one in member.trajectories]

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

    @cached_property
    def smooth(self) -> list[Array]:
        """The states of every trajectory without what is known to be noise, `[instants, state]`."""
        pairs = zip(self.members, self.noise, strict=True)
        return [one for member, noise in pairs for one in smoothed(member.trajectories, noise)]

    def slopes(self) -> tuple[Tensor, Tensor]:
        """States and dx/dt there, both `[rows, state]`: as they are known, else by differences along each trajectory.

        Differences of smoothed states are enough for scales, and for nothing else; a trajectory of one instant has
        none.

        Raises:
            ValueError: no trajectory has two instants.
        """
        states = self.parts["states"]
        if "derivatives" in self.parts:
            return states, self.parts["derivatives"]
        every = [one for member in self.members for one in member.trajectories]
        longer = [(one, x) for one, x in zip(every, self.smooth, strict=True) if len(one) > 1]
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


def support(
    members: Sequence[Member], shots: int, seed: int, reads: Sequence[str], window: int, least: int | None = None
) -> Observations:
    """At most `shots` observations of each member in float64, drawn at random without repetition.

    Fewer shots are the first of more, so that curves over shots are of nested sets. Where an objective asks for windows
    there are as many as hold the shots, one at least. A member that has fewer is filled up, and masked.

    Args:
        members: support trajectories of each.
        reads: which parts of the observations are wanted.
        window: consecutive samples that are drawn together.
        least: of them that will do, where windows need not be full; then no sample is in two of them.

    Raises:
        ValueError: a trajectory is shorter than what will do.
    """
    recordings = Recordings(members, torch.float64)
    if least is None:
        starts, counts = recordings.windows(window)
        places = [(rows.numpy(), np.full(len(rows), window)) for rows in starts.split(counts.tolist())]
    else:
        places = _tiles(recordings, window, least)
    firsts, sizes = [], []
    for task, (rows, lengths) in enumerate(places):
        enough = shots // window if least is None or shots < lengths.sum() else len(rows)
        picks = np.random.default_rng([seed, 1, task]).permutation(len(rows))[: max(1, enough)]
        firsts.append(rows[picks])
        sizes.append(lengths[picks] if least is None else lengths[picks].clip(max=max(least, shots)))
    return _gathered(recordings, firsts, sizes, reads, window)


def whole(members: Sequence[Member], reads: Sequence[str], window: int, least: int | None = None) -> Observations:
    """All observations of each member in float64, filled up and masked where others have more.

    Where an objective asks for windows, every trajectory is covered by as few as hold it, which overlap where its
    length is no multiple of theirs, unless they need not be full.

    Args:
        reads: which parts of the observations are wanted.
        least: as of `support`.

    Raises:
        ValueError: a trajectory is shorter than a window, or than what will do.
    """
    recordings = Recordings(members, torch.float64)
    places = _tiles(recordings, window, least)
    firsts, sizes = zip(*places, strict=True)
    return _gathered(recordings, firsts, sizes, reads, window)


def _tiles(recordings: Recordings, window: int, least: int | None) -> list[tuple[Array, Array]]:
    """The first rows of the windows of each task, and how many samples they have.

    Raises:
        ValueError: a trajectory is too short.
    """
    row, places = 0, []
    for lengths in recordings.lengths:
        starts, sizes = [], []
        for samples in lengths:
            if samples < (least or window):
                raise ValueError(
                    f"a trajectory must have at least the {least or window} samples of a window, got {samples}; leave "
                    "it out, or use an objective that looks at fewer"
                )
            number = -(-samples // window)
            if least is not None and samples // number >= least:
                ends = np.linspace(0, samples, number + 1).round().astype(int)
                starts.append(row + ends[:-1])
                sizes.append(np.diff(ends))
            else:
                number = number if least is None else samples // window
                starts.append(row + np.linspace(0, samples - window, number).round().astype(int))
                sizes.append(np.full(number, window))
            row += samples
        places.append((np.concatenate(starts), np.concatenate(sizes)))
    return places


def _gathered(
    recordings: Recordings, firsts: Sequence[Array], sizes: Sequence[Array], reads: Sequence[str], window: int
) -> Observations:
    """The windows of each task that begin at the rows `firsts` and have so many samples, filled up and masked."""
    most = max(map(len, firsts))
    padded = np.stack([np.pad(rows, (0, most - len(rows)), mode="edge") for rows in firsts])
    held = np.stack([np.pad(lengths, (0, most - len(lengths))) for lengths in sizes])
    repeated = np.stack([np.pad(lengths, (0, most - len(lengths)), mode="edge") for lengths in sizes])
    steps = np.minimum(np.arange(window), repeated[..., None] - 1)
    rows = torch.from_numpy(padded[..., None] + steps).flatten(1)
    parts = {name: part[rows] for name, part in recordings.read(reads).items()}
    valid = torch.from_numpy(np.arange(window) < held[..., None]).flatten(1)
    return Observations(**parts, mask=None if bool(valid.all()) else valid)
