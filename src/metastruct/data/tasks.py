"""The batch records: what a learner may see of a set of tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metastruct.data.simulate import Simulation


@dataclass(frozen=True)
class Tasks:
    """Observations of several members: states and derivatives, both `[tasks, points, state]`."""

    states: Tensor
    derivatives: Tensor

    def __len__(self) -> int:
        return len(self.states)

    @classmethod
    def of(cls, simulation: Simulation, dtype: torch.dtype) -> Tasks:
        """All observations of a split, trajectories laid end to end."""
        shape = (len(simulation.states), -1, simulation.states.shape[-1])
        return cls(
            *(torch.as_tensor(a.reshape(shape), dtype=dtype) for a in (simulation.states, simulation.derivatives))
        )


@dataclass(frozen=True)
class Batch:
    """Which observations an outer step uses: tasks `[batch]`, points `[updates, batch, points]`."""

    tasks: Tensor
    points: Tensor

    @classmethod
    def draw(cls, seed: int, step: int, tasks: int, observations: int, batch: int, points: int, updates: int) -> Batch:
        """The batch of outer step `step`; it depends on the seed and the step alone, so a resumed run draws the same."""
        generator = np.random.Generator(np.random.Philox(key=[seed, step]))
        chosen = np.arange(tasks) if batch == tasks else generator.choice(tasks, batch, replace=False)
        return cls(
            torch.from_numpy(chosen), torch.from_numpy(generator.integers(observations, size=(updates, batch, points)))
        )


def split_support(simulation: Simulation, support: int, shots: int, seed: int) -> tuple[Tasks, np.ndarray]:
    """Support observations and query trajectories of test tasks.

    Trajectories below `support` are support, the others query. Of the support, `shots` observations of each task are
    drawn at random without repetition; fewer shots are the first of more, so that a curve over shots is one of nested sets.

    Returns:
        Tasks of `[tasks, shots, state]` in float64, query states `[tasks, trajectories, times, state]`.
    """
    pool = Tasks.of(
        Simulation(
            simulation.times, simulation.states[:, :support], simulation.derivatives[:, :support], simulation.parameters
        ),
        torch.float64,
    )
    picks = [
        np.random.default_rng([seed, 1, task]).permutation(pool.states.shape[1])[:shots] for task in range(len(pool))
    ]
    index = torch.from_numpy(np.stack(picks))
    rows = torch.arange(len(pool))[:, None]
    return Tasks(pool.states[rows, index], pool.derivatives[rows, index]), simulation.states[:, support:]
