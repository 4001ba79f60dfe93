"""One net for all training tasks pooled: the control that shows what meta-learning adds to fine-tuning."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from metastruct.learners.initialisation import Initialisation
from metastruct.learners.learner import own_gradients
from metastruct.optimizers.residuals import Residuals


class Pretrained(Initialisation):
    """min over base of the mean over all tasks of L_k(base): supervised learning that does not know of tasks."""

    def __init__(self, **frame: Any):
        super().__init__(draws=1, **frame)

    @property
    def evaluations(self) -> int:
        return math.prod(self.batches.shape) * self.objective.window

    def outer_update(self, step: int) -> Tensor:
        (observed,) = self.drawn(step)
        if self.optimizer.by_residuals(step, self.steps):
            residuals = Residuals(self.model, self.objective, observed)
            return self.optimizer.solve(self.rules, residuals, step, self.steps)
        loss = self.loss_of(observed, None).mean(-1)
        self.step_along(own_gradients(loss, self.trained), step)
        return loss.detach()
