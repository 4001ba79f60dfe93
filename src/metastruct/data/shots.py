"""Observations that are chosen of members: so many shots, or all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from metastruct.data.observations import Observations
from metastruct.data.recordings import Recordings
from metastruct.data.trajectory import Array, Member


@dataclass(frozen=True)
class Request:
    """What an objective wants of the observations of a member.

    Args:
        reads: which parts of them.
        window: consecutive samples that are looked at together.
        least: of them that will do, where windows need not be full; then no sample is in two of them.
        steady: at instants whose spacing changes slowly, as of `Recordings.steady`?
        held: as of `Recordings`.
    """

    reads: tuple[str, ...]
    window: int = 1
    least: int | None = None
    steady: bool = False
    held: bool = False

    def of(self, members: Sequence[Member]) -> Recordings:
        """What is seen of these members, in float64."""
        recordings = Recordings(members, torch.float64, held=self.held)
        return recordings.steady if self.steady else recordings


def support(members: Sequence[Member], shots: int, seed: int, request: Request, sample: bool = False) -> Observations:
    """At most `shots` observations of each member in float64, drawn at random without repetition.

    Fewer shots are the first of more, so that curves over shots are of nested sets. Where an objective asks for windows
    there are as many as hold the shots, one at least. A member that has fewer is filled up, and masked. Smoothed
    states follow from the observations that were drawn, where these are consecutive samples; the level of noise from
    all.

    Args:
        members: support trajectories of each.
        request: samples of a window are drawn together.
        sample: of observations that are all known, from which smoothed states follow then?

    Raises:
        ValueError: a trajectory is shorter than what will do.
    """
    recordings, window, least = request.of(members), request.window, request.least
    if least is None:
        starts, counts = recordings.windows(window)
        places = [(rows.numpy(), np.full(len(rows), window)) for rows in starts.split(counts.tolist())]
    else:
        places = _tiles(recordings, window, least)
    firsts, sizes, fewer = [], [], False
    for task, (rows, lengths) in enumerate(places):
        enough = shots // window if least is None or shots < lengths.sum() else len(rows)
        picks = np.random.default_rng([seed, 1, task]).permutation(len(rows))[: max(1, enough)]
        firsts.append(rows[picks])
        sizes.append(lengths[picks] if least is None else lengths[picks].clip(max=max(least, shots)))
        fewer |= sizes[-1].sum() < lengths.sum()
    if fewer and least is not None and not sample:
        return whole([*map(_cut, members, recordings.noise, firsts, sizes, _beginnings(recordings))], request)
    return _gathered(recordings, firsts, sizes, request)


def whole(members: Sequence[Member], request: Request) -> Observations:
    """All observations of each member in float64, filled up and masked where others have more.

    Where an objective asks for windows, every trajectory is covered by as few as hold it, which overlap where its
    length is no multiple of theirs, unless they need not be full.

    Raises:
        ValueError: a trajectory is shorter than a window, or than what will do.
    """
    recordings = request.of(members)
    places = _tiles(recordings, request.window, request.least)
    firsts, sizes = zip(*places, strict=True)
    return _gathered(recordings, firsts, sizes, request)


def _beginnings(recordings: Recordings) -> list[Array]:
    """The first row of each trajectory of each task, and the row after the last."""
    rows, beginnings = 0, []
    for lengths in recordings.lengths:
        beginnings.append(rows + np.cumsum([0, *lengths]))
        rows += sum(lengths)
    return beginnings


def _cut(member: Member, noise: Array, firsts: Array, sizes: Array, beginnings: Array) -> Member:
    """The member as it is seen in so many samples from these rows on, each a trajectory of its own.

    Args:
        noise: of its states `[state]`, which few samples would not tell.
    """
    parts = []
    for row, size in zip(firsts, sizes, strict=True):
        number = int(np.searchsorted(beginnings, row, side="right")) - 1
        begin = int(row - beginnings[number])
        piece = member.trajectories[number].part(slice(begin, begin + int(size)))
        parts.append(piece if piece.noise is not None else replace(piece, noise=noise))
    return replace(member, trajectories=tuple(parts))


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
                if least is not None and max(lengths) >= least:  # a piece beside a gap, or a short one, says nothing
                    row += samples
                    continue
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
    recordings: Recordings, firsts: Sequence[Array], sizes: Sequence[Array], request: Request
) -> Observations:
    """The windows of each task that begin at the rows `firsts` and have so many samples, filled up and masked."""
    counts = np.array([*map(len, firsts)])[:, None]
    number = np.arange(counts.max())
    place = np.cumsum(counts)[:, None] - counts + np.minimum(number, counts - 1)
    padded, repeated = np.concatenate(firsts)[place], np.concatenate(sizes)[place]
    held = np.where(number < counts, repeated, 0)
    steps = np.minimum(np.arange(request.window), repeated[..., None] - 1)
    rows = torch.from_numpy(padded[..., None] + steps).flatten(1)
    parts = {name: part[rows] for name, part in recordings.read(request.reads).items()}
    valid = torch.from_numpy(np.arange(request.window) < held[..., None]).flatten(1)
    return Observations(**parts, mask=None if bool(valid.all()) else valid)
