"""Are velocities those of their positions? What mechanics takes for granted of (q, v).

The integral of a column along a piece of a trajectory is, but for a constant, a multiple of what it is the slope of,

    q - mean q  =  a (V - mean V),   V = int v dt by a spline,

with a = 1 where v is dq/dt. Pieces are so long that q moves by its own spread, so that little is left of the noise of
either; what noise explains of the rest is taken off. Where the instants are so far apart that a spline and straight
lines differ, nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.interpolate import CubicSpline

from metastruct.data.noise_level import noise_level
from metastruct.data.trajectory import Array, Member, Trajectory
from metastruct.data.turns import RADIANS, wrapped

FEWEST = 8  # samples of a piece
COARSE = 0.1  # share of an integral by which a spline and straight lines may differ
ALIKE = 0.1  # share of q that its integral may miss to be one
SLIGHT = 0.03  # share of q above which a velocity that is none is told
GROSS = 0.3  # and above which no model of dq/dt = v can explain it
CERTAIN = 3.0  # times what noise and spacing explain, below which they may be all there is
FAINT = 4.0  # times its noise, below which a motion tells nothing
SHOWN = 5  # members
LARGEST = 16  # columns among which slopes are looked for


@dataclass(frozen=True)
class Slope:
    """How column v fits as the slope of column q: q = a int v dt.

    Args:
        factor: 1/a, v over the slope of q.
        missed: root mean square of what a = 1 leaves of q, over that of q, noise apart; NaN where nobody can tell.
        rest: the same of the best a.
    """

    factor: float
    missed: float
    rest: float


def slope(trajectories: Sequence[Trajectory], q: int, v: int) -> Slope:
    """Of columns q and v of the states of a member."""
    longer = [one for one in trajectories if len(one) >= FEWEST]
    sums, coarse, shares = np.zeros((2, 2)), 0.0, np.zeros((len(longer), 2))
    for number, one in enumerate(longer):
        position, velocity = one.states[:, q], one.states[:, v]
        integral = CubicSpline(one.times, velocity).antiderivative()(one.times)
        lines = cumulative_trapezoid(velocity, one.times, initial=0.0)
        length = _piece(position)
        count = len(one) // length
        paths = np.stack([position, integral, lines])[:, : count * length].reshape(3, count, length)
        paths -= paths.mean(-1, keepdims=True)
        pairs = paths[:2].reshape(2, -1)
        sums += pairs @ pairs.T
        coarse += float(np.square(paths[1] - paths[2]).sum())
        steps = (one.times[length - 1 :: length] - one.times[: count * length : length]) / (length - 1)
        shares[number] = count * length, length**2 * np.square(steps).sum() / 6  # of noise, and of its random walk
    (moved, along), (_, size) = sums
    if not moved or coarse > COARSE**2 * size:
        return Slope(np.nan, np.nan, np.nan)
    if not along:
        return Slope(0.0, 1.0, 1.0)
    if (part := moved - 2 * along + size) <= SLIGHT**2 * moved:
        return Slope(size / along, *[float(np.sqrt(max(part, 0.0) / moved))] * 2)
    levels = np.stack([noise_level([one])[[q, v]] for one in longer])
    noise = np.where(np.isnan(levels), np.nan_to_num(noise_level(longer)[[q, v]]), levels)
    errors = (shares * noise**2).sum(0)
    if moved < FAINT * errors[0] or size < FAINT * errors[1]:
        return Slope(np.nan, np.nan, np.nan)
    factor, expected = along / (size - errors[1]), errors.sum() + coarse
    left = (part, moved - factor * along)
    missed, rest = (float(np.sqrt((part - expected) / moved)) if part > CERTAIN * expected else 0.0 for part in left)
    return Slope(1 / factor, missed, rest)


def _piece(position: Array) -> int:
    """Samples after which it is elsewhere."""
    length, spread = FEWEST, position.std()
    while 2 * length <= len(position) and (position[length:] - position[:-length]).std() < spread:
        length *= 2
    return min(length, len(position))


def contradictions(members: Sequence[Member], names: Sequence[str], strict: bool) -> tuple[str, ...]:
    """A line for each velocity that is not the slope of its position, of states (q, v) with these names.

    Args:
        strict: is what no model can explain an error?

    Raises:
        ValueError: `strict`, and most members have such a velocity.
    """
    half, notes = len(names) // 2, list[str]()
    for q, v in ((q, q + half) for q in range(half)):
        every = [slope(member.trajectories, q, v) for member in members]
        bad = [number for number, one in enumerate(every) if one.missed > SLIGHT]
        if not bad:
            continue
        judged = [one for one in every if not np.isnan(one.missed)]
        typical = Slope(*np.median([(every[n].factor, every[n].missed, every[n].rest) for n in bad], axis=0))
        line = f"{names[v]} must be the slope of {names[q]}, got {_said(typical, names[q])}"
        if len(bad) < len(judged):
            labels = [members[number].name or str(number) for number in bad]
            line += f" in {', '.join(labels[:SHOWN])}{', ...' if labels[SHOWN:] else ''}"
        line += f"; {_advice([members[number] for number in bad], names, q, v)}"
        if strict and 2 * sum(every[n].missed > GROSS for n in bad) > len(judged):
            raise ValueError(line)
        notes.append(line)
    return tuple(notes)


def _said(typical: Slope, name: str) -> str:
    if typical.rest < max(ALIKE, typical.missed / 2):
        return f"{typical.factor:.3g} times it"
    return f"what leaves {typical.missed:.0%} of {name} unexplained, noise apart"


def _advice(members: Sequence[Member], names: Sequence[str], q: int, v: int) -> str:
    """What to do: about columns that jump by whole turns, or are the slopes of others."""
    trajectories, size = members[0].trajectories, len(names)
    if (turn := wrapped(members, q)) is not None:
        radians = "" if turn == RADIANS else "give it in radians and "
        return f"{names[q]} jumps by {turn}, as angles do: {radians}use dynamics.angles=[{q}]"
    pairs = [(i, j) for i in range(size) for j in range(size) if size <= LARGEST and j not in (i, i + size // 2)]
    slopes = [f"{names[j]} is that of {names[i]}" for i, j in pairs if slope(trajectories, i, j).missed < ALIKE]
    if slopes:
        return f"{', '.join(slopes)}: name all positions first, then their velocities in the same order"
    return (
        "give velocities, not momenta, in the unit of their positions over that of the time, with their sign; "
        "Family.with_velocities makes them of positions"
    )
