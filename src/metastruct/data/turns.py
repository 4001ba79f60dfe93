"""Angles that jump by whole turns where they were wrapped, as into (-pi, pi]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from metastruct.data.trajectory import Array, Member, Trajectory

RADIANS = "2 pi"
TURNS: Mapping[str, float] = {RADIANS: 2 * np.pi, "360": 360.0}
FULL, OVER = 0.9, 1.1  # of a turn, the least and the most that wrapped angles span
SMOOTH = 0.25  # of a turn, the most that one moves from one instant to the next besides


def unwound(
    members: Sequence[Member], names: Sequence[str], angles: Sequence[int]
) -> tuple[tuple[Member, ...], str | None]:
    """Members whose angles go on where they jumped, by what their velocities say, and a line on it.

    Args:
        names: of the states (q, v).
        angles: numbers of the coordinates that are angles, in radians.
    """
    result, count, turn = list(members), 0, TURNS[RADIANS]
    for angle in angles:
        if _span(members, angle) > OVER * turn:  # somebody has done it
            continue
        for number, member in enumerate(result):
            turns = [turns_of(one, angle, angle + len(names) // 2, turn) for one in member.trajectories]
            pairs = zip(member.trajectories, turns, strict=True)
            result[number] = replace(
                member, trajectories=tuple(moved(one, angle, turn * whole) for one, whole in pairs)
            )
            count += sum(int(np.count_nonzero(np.diff(whole))) for whole in turns)
    line = f"angles jump by whole turns {count} times, and go on there instead: {', '.join(names[i] for i in angles)}"
    return tuple(result), line if count else None


def turns_of(one: Trajectory, q: int, v: int, turn: float) -> Array:
    """Whole turns `[instants]` that make column q go on as v, its velocity, does, where it jumps by more than half."""
    way = np.diff(one.times) * (one.states[1:, v] + one.states[:-1, v]) / 2
    step = np.diff(one.states[:, q])
    whole = np.where(np.abs(step) > turn / 2, np.round((way - step) / turn), 0.0)
    return np.concatenate([[0.0], np.cumsum(whole)])


def moved(one: Trajectory, column: int, by: Array) -> Trajectory:
    """The trajectory with one column of its states moved by so much at each instant `[instants]`."""
    states = one.states.copy()
    states[:, column] += by
    return replace(one, states=states)


def wrapped(members: Sequence[Member], column: int) -> str | None:
    """By how much a column of the states jumps, where it looks like an angle that was wrapped."""
    values = [one.states[:, column] for member in members for one in member.trajectories]
    for word, turn in TURNS.items():
        if not FULL * turn < _span(members, column) < OVER * turn:
            continue
        steps = np.concatenate([np.diff(path) for path in values])
        if (np.abs(steps) > turn / 2).any() and (np.abs(steps - turn * np.round(steps / turn)) < SMOOTH * turn).all():
            return word
    return None


def _span(members: Sequence[Member], column: int) -> float:
    """Of all values of a column."""
    every = [one.states[:, column] for member in members for one in member.trajectories]
    return float(max(path.max() for path in every) - min(path.min() for path in every))
