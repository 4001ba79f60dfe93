"""Which observations an outer step uses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metastruct.data.trajectory import Array


@dataclass(frozen=True)
class Batch:
    """What an outer step uses: tasks `[batch]`, and `[updates, batch, draws]` of their points, or of their windows."""

    tasks: Tensor
    points: Tensor


class Batches:
    """The batch of every outer step, a function of the seed and the step alone, so a resumed run draws the same.

    Steps are drawn in blocks, for drawing one at a time takes as long as a large matrix product.

    Args:
        seed: of the run.
        counts: how many points, or windows, there are of each task `[tasks]`; they are drawn with repetition.
        batch: tasks of a step, without repetition, and in order where all are taken.
        draws: points, or windows, of each task.
        updates: draws of points in a step.
    """

    BLOCK = 64

    def __init__(self, seed: int, counts: Array, batch: int, draws: int, updates: int):
        self.seed, self.counts = seed, counts
        self.batch, self.shape = batch, (updates, batch, draws)
        self._block: tuple[int, Tensor, Tensor] | None = None

    def __getitem__(self, step: int) -> Batch:
        number, within = divmod(step, self.BLOCK)
        if self._block is None or self._block[0] != number:
            generator = np.random.Generator(np.random.Philox(key=[self.seed, number]))
            even = (self.counts == self.counts[0]).all()
            size = (self.BLOCK, *self.shape)
            points = generator.integers(self.counts[0], size=size) if even else generator.random(size)
            total = len(self.counts)
            order = generator.random((self.BLOCK, total)).argsort(axis=1)[:, : self.batch]
            tasks = np.tile(np.arange(total), (self.BLOCK, 1)) if self.batch == total else order
            if not even:  # a share of what each task has
                points = (points * self.counts[tasks][:, None, :, None]).astype(np.int64)
            self._block = number, torch.from_numpy(tasks), torch.from_numpy(points)
        return Batch(self._block[1][within], self._block[2][within])
