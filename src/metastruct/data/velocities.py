"""Velocities of members of which positions alone were seen, as slopes of splines without what is noise.

Positions stay as they were seen. A velocity at an instant is the slope there of the smoothing spline that `smoothing`
fits to a position of a member, whose noise its own differences tell. How far off they are is told, about, by how much
splines through every second instant differ from those through the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline

from metastruct.data.noise_level import noise_levels
from metastruct.data.smoothing import smoothed
from metastruct.data.trajectory import Array, Member, Trajectory

FEWEST = 8  # instants of a trajectory, of which half must make a spline


def with_velocities(members: Sequence[Member]) -> tuple[tuple[Member, ...], Array]:
    """Members of states (q, v) in the place of q, and about the error of v over its spread, `[coordinate]`.

    Derivatives that somebody knows are the velocities, whose error nobody estimates.

    Raises:
        ValueError: a trajectory is too short.
    """
    result, errors, sizes = list[Member](), list[Array](), list[Array]()
    for number, (member, noise) in enumerate(zip(members, noise_levels(members), strict=True)):
        every = member.trajectories
        if every[0].derivatives is not None:
            slopes = [one.derivatives for one in every if one.derivatives is not None]
        else:
            if (shortest := min(map(len, every))) < FEWEST:
                raise ValueError(
                    f"velocities need trajectories of at least {FEWEST} instants, got one of {shortest} of member "
                    f"{member.name or number}; leave it out"
                )
            slopes = _slopes(every, every, noise)
            halves = [_slopes([one.part(slice(k, None, 2)) for one in every], every, noise) for k in (0, 1)]
            errors += [np.square(first - second)[2:-2] for first, second in zip(*halves, strict=True)]
        sizes += [slope - slope.mean(0) for slope in slopes]
        result.append(replace(member, trajectories=tuple(map(_moving, every, slopes))))
    spread = np.sqrt(np.square(np.concatenate(sizes)).mean(0))
    error = np.sqrt(np.concatenate(errors).mean(0)) if errors else 0 * spread
    return tuple(result), error / np.where(spread > 0, spread, 1.0)


def _slopes(sparse: Sequence[Trajectory], whole: Sequence[Trajectory], noise: Array) -> list[Array]:
    paths = zip(sparse, smoothed(sparse, noise), whole, strict=True)
    return [CubicSpline(one.times, path, bc_type="not-a-knot")(there.times, 1) for one, path, there in paths]


def _moving(one: Trajectory, slopes: Array) -> Trajectory:
    return replace(one, states=np.concatenate([one.states, slopes], -1), derivatives=None, noise=None)
