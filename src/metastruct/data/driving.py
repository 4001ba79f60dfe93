"""Are the inputs of all members of one size? A code may take another motor for granted, but no other unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metastruct.data.trajectory import Member

APART = 30.0  # times the inputs of most members
SHOWN = 5  # members


def unlike(members: Sequence[Member], names: Sequence[str]) -> tuple[str, ...]:
    """A line on each input, of these names, that is much larger or smaller in some members; none is no other unit."""
    every = [[one.inputs for one in member.trajectories if one.inputs is not None] for member in members]
    if not names or not all(every):
        return ()
    sizes = np.array([np.sqrt(np.square(np.concatenate(inputs)).mean(0)) for inputs in every])
    lines = []
    for name, size in zip(names, sizes.T, strict=True):
        driven = size[size > 0]
        if len(driven) < 3:
            continue
        times = size / np.median(driven)
        strange = [int(number) for number in np.flatnonzero(size) if not 1 / APART < times[number] < APART]
        if strange:
            labels = ", ".join(members[number].name or str(number) for number in strange[:SHOWN])
            more = ", ..." if strange[SHOWN:] else ""
            typical = np.median(times[strange])
            lines.append(f"{name} is {typical:.3g} times that of most members in {labels}{more}; give it in one unit")
    return tuple(lines)
