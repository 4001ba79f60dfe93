"""One net for all training tasks pooled: the control that shows what meta-learning adds to fine-tuning."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from metastruct.data.observations import Observations
from metastruct.learners.initialisation import Initialisation
from metastruct.optimizers.residuals import Residuals


class Pretrained(Initialisation):
    """min over base of the mean over all tasks of L_k(base): supervised learning that does not know of tasks."""

    def __init__(self, **frame: Any):
        super().__init__(draws=1, **frame)

    def outer_losses(self, *draws: Observations) -> Tensor:
        (draw,) = draws
        return self.loss_of(draw, None)

    def outer_update(self, step: int) -> Tensor:
        if not self.optimizer.by_residuals(step, self.steps):
            return super().outer_update(step)
        (draw,) = self.drawn(step)
        return self.optimizer.solve(self.rules, Residuals(self.model, self.objective, draw), step, self.steps)
