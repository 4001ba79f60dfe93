"""Observation noise: independent Gaussian errors of states and derivatives.

Its standard deviation is a fraction of each component's own over the clean training data. Every trajectory has its own
random stream (seed, split, task, trajectory), so that fewer tasks or trajectories see the same errors as more.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metastruct.data.simulate import Simulation
from metastruct.data.trajectory import Array


def spread(simulation: Simulation) -> tuple[Array, Array]:
    """Standard deviation of each component of states and of derivatives, both `[state]`."""
    states, derivatives = (a.reshape(-1, a.shape[-1]).std(axis=0) for a in (simulation.states, simulation.derivatives))
    return states, derivatives


def noisy(
    simulation: Simulation, std: tuple[Array, Array], fraction: float, seed: int, split: int, trajectories: int
) -> Simulation:
    """The simulation as it is observed: the first `trajectories` of each task with noise, the others clean.

    Args:
        std: what `spread` says of the clean training data.
        fraction: of it, the standard deviation of the noise.
        split: 0 for training tasks, 1 for test tasks.
    """
    if not fraction:
        return simulation
    states, derivatives = simulation.states.copy(), simulation.derivatives.copy()
    for task in range(len(states)):
        for trajectory in range(trajectories):
            stream = np.random.default_rng([seed, split, task, trajectory])
            for values, scale in zip((states, derivatives), std, strict=True):
                values[task, trajectory] += fraction * scale * stream.standard_normal(values.shape[2:])
    return replace(simulation, states=states, derivatives=derivatives)
