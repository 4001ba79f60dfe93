"""The members of a split of a family and where their trajectories begin, drawn by a seed."""

from __future__ import annotations

import numpy as np

from metastruct.data.trajectory import Array
from metastruct.systems.system import System


def drawn(system: System, split: int, tasks: int, trajectories: int, seed: int, **_: object) -> tuple[Array, Array]:
    """The members `[tasks, parameters]` of a split, and where their trajectories begin `[tasks, trajectories, state]`.

    Every task has its own random stream (seed, split, task), so that fewer tasks are the first of more.
    """
    streams = [np.random.default_rng([seed, split, task]) for task in range(tasks)]
    parameters = np.stack([system.sample_parameters(stream, task) for task, stream in enumerate(streams)])
    starts = np.stack([system.sample_starts(s, mu, trajectories) for s, mu in zip(streams, parameters, strict=True)])
    return parameters, starts
