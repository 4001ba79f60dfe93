"""What a family that somebody measured holds, in tables for people, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from metastruct.data.family import Family
from metastruct.data.noise_level import noise_level
from metastruct.data.tables.trajectories import of_pieces
from metastruct.data.trajectory import PARTS
from metastruct.data.units import spread_of

MEMBERS = ("member", "trajectories", "instants", "from", "to", "median dt", "longest dt", "gaps")
COMPONENTS = ("component", "unit", "least", "most", "spread", "noise", "of spread")
LOUD = 0.2  # of the spread: so much noise hides the motion
APART = 1e3  # the longest spacing over the median one
SHOWN = 20  # members


def members(family: Family) -> Iterator[tuple[str, ...]]:
    """A row of each member, of `MEMBERS` and its labels."""
    pairs = [*zip(family.members, family.trajectory_names, strict=True)]
    for member, names in pairs[:SHOWN]:
        spacing = np.concatenate([np.diff(one.times) for one in member.trajectories])
        first, last = (
            f"{end(one.times[place] for one in member.trajectories):g}" for end, place in ((min, 0), (max, -1))
        )
        apart = (f"{np.median(spacing):.4g}", f"{spacing.max():.4g}") if len(spacing) else ("-", "-")
        gaps = len(names) - len({*map(of_pieces, names)})
        count = len(names) - gaps
        labels = () if member.parameters is None else (f"{value:g}" for value in member.parameters)
        yield (
            member.name,
            str(count),
            str(sum(map(len, member.trajectories))),
            first,
            last,
            *apart,
            str(gaps),
            *labels,
        )
    if len(pairs) > SHOWN:
        yield (f"and {len(pairs) - SHOWN} more", *[""] * (len(MEMBERS) - 1), *[""] * len(family.layout.labels))


def components(family: Family) -> Iterator[tuple[str, ...]]:
    """A row of each component, of `COMPONENTS`."""
    layout, every = family.layout, [one for member in family.members for one in member.trajectories]
    for part in PARTS[1:]:
        if part not in family.parts:
            continue
        values = np.concatenate([getattr(one, part) for one in every])
        spread = np.where(_still(values), 0.0, spread_of(values)[1])
        noise = noise_level(every) if part == "states" else np.full(len(spread), np.nan)
        for number, name in enumerate(getattr(layout, part)):
            level = "-" if np.isnan(noise[number]) else f"{noise[number]:.2g}"
            share = "-" if level == "-" or not spread[number] else f"{100 * noise[number] / spread[number]:.2g} %"
            low, high = values[:, number].min(), values[:, number].max()
            yield (name, layout.unit(name) or "-", f"{low:.4g}", f"{high:.4g}", f"{spread[number]:.4g}", level, share)


def warnings(family: Family) -> Iterator[str]:
    """What may be wrong, and what to do."""
    layout, every = family.layout, [one for member in family.members for one in member.trajectories]
    states = np.concatenate([one.states for one in every])
    spread, still, noise = spread_of(states)[1], _still(states), noise_level(every)
    for number, name in enumerate(layout.states):
        if still[number]:
            yield f"{name} never moves; leave it out of the states"
        elif noise[number] > LOUD * spread[number]:
            yield f"the noise of {name} is {100 * noise[number] / spread[number]:.0f} % of its spread; measure finer"
    if short := sum(len(one) == 1 for one in every):
        yield f"{short} trajectories have one instant, of which nothing is learned without derivatives"
    spacing = np.concatenate([np.diff(one.times) for one in every])
    if len(spacing) and spacing.max() > APART * np.median(spacing):
        times = spacing.max() / np.median(spacing)
        yield f"the longest spacing, {spacing.max():g}, is {times:.0f} times the median one"
    if len(family) == 1:
        yield "one member alone says nothing about others; data.hold_out=trajectories or none"
    names = {name for name in layout.units if name in (layout.time, *layout.states)}
    if names and len(names) < 1 + len(layout.states):
        yield "units are given of some columns; give those of the time and of every state"


def _still(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.max(axis=0) == values.min(axis=0))
