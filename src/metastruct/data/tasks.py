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


class Batches:
    """The batch of every outer step, a function of the seed and the step alone, so a resumed run draws the same.

    Steps are drawn in blocks, for drawing one at a time takes as long as a large matrix product.

    Args:
        seed: of the run.
        tasks, observations: how many there are to choose from; observations are drawn with repetition.
        batch, points: how many are chosen, tasks without repetition and in order where all are taken.
        updates: draws of points in a step.
    """

    BLOCK = 64

    def __init__(self, seed: int, tasks: int, observations: int, batch: int, points: int, updates: int):
        self.seed, self.tasks, self.observations = seed, tasks, observations
        self.batch, self.shape = batch, (updates, batch, points)
        self._block: tuple[int, Tensor, Tensor] | None = None

    def __getitem__(self, step: int) -> Batch:
        number, within = divmod(step, self.BLOCK)
        if self._block is None or self._block[0] != number:
            generator = np.random.Generator(np.random.Philox(key=[self.seed, number]))
            points = generator.integers(self.observations, size=(self.BLOCK, *self.shape))
            order = generator.random((self.BLOCK, self.tasks)).argsort(axis=1)[:, : self.batch]
            tasks = np.tile(np.arange(self.tasks), (self.BLOCK, 1)) if self.batch == self.tasks else order
            self._block = number, torch.from_numpy(tasks), torch.from_numpy(points)
        return Batch(self._block[1][within], self._block[2][within])


def split_support(simulation: Simulation, support: int, shots: int, seed: int) -> tuple[Tasks, np.ndarray]:
    """Support observations and query trajectories of test tasks.

    Trajectories below `support` are support, the others query. Of the support, `shots` observations of each task are
    drawn at random without repetition; fewer shots are the first of more, so that curves over shots are of nested sets.

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
