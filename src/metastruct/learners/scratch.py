"""A fresh net for every new task, fitted to its support data only: what a method without meta-learning reaches."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from metastruct.data.observations import Observations
from metastruct.learners.initialisation import Initialisation


class Scratch(Initialisation):
    """No training at all: it ends before its first outer step, and the adaptation has the budget.

    Of the training tasks it takes the constants that standardise states and derivatives, as every method does.
    """

    def __init__(self, **frame: Any):
        super().__init__(task_batch=1, point_batch=1, draws=1, **frame)
        self.steps = 0

    @property
    def evaluations(self) -> int:
        return 0

    def outer_losses(self, *draws: Observations) -> Tensor:
        raise RuntimeError("learner=scratch has nothing to train; call its adaptation")
