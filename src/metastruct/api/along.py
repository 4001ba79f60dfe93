"""Forecasts of adapted members along the trajectories that were seen of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from metastruct.api.member import Member
from metastruct.api.members import Members
from metastruct.data.family import Family
from metastruct.data.noise_level import noise_level
from metastruct.data.trajectory import Array, Trajectory
from metastruct.evaluation.figures.along import Along


def along(members: Members, family: Family) -> list[Along]:
    """From the first observation of each trajectory, at its own instants.

    The standard deviations hold the noise of the start, as the data tell it, and not that of the observations.
    """
    every = []
    noise = np.nan_to_num(noise_level([one for member in family.members for one in member.trajectories]))
    for fitted, member, names in zip(members, family.members, family.trajectory_names, strict=True):
        forecasts = _forecasts(fitted, member.trajectories, noise)
        for name, one, forecast in zip(names, member.trajectories, forecasts, strict=True):
            every.append(Along(member.name, name, one.times, *forecast, one.states))
    return every


def _forecasts(member: Member, trajectories: tuple[Trajectory, ...], noise: Array) -> list[tuple[Array, Array | None]]:
    """States and standard deviations; trajectories with the same times go through together."""
    together = defaultdict(list)
    for number, one in enumerate(trajectories):
        together[one.times.tobytes() if one.inputs is None else number].append(number)
    result: list[Any] = [None] * len(trajectories)
    std: Array | None
    for numbers in together.values():
        first = trajectories[numbers[0]]
        starts = np.stack([trajectories[number].states[0] for number in numbers])
        if member.covariance is None:
            states, std = member.forecast(starts, first.times, inputs=first.inputs), None
        else:
            more: dict[str, Any] = {"inputs": first.inputs, "start_std": noise}
            states, std = member.forecast(starts, first.times, std=True, **more)
        for place, number in enumerate(numbers):
            result[number] = states[place], None if std is None else std[place]
    return result
