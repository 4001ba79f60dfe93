"""What the learners share that learn where the weights of a task begin: base weights, and no codes to keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from metastruct.data.tasks import Batches
from metastruct.learners.learner import Learner
from metastruct.modulation.weights import Weights


class Initialisation(Learner):
    """A learner of base weights; a task's code is its change of them, and begins at zero.

    `optimizer.code_rate` and the locality play no part: nothing is generated, and no training task keeps a code.

    Args:
        task_batch: tasks of a batch; all of them where there are fewer.
        point_batch: observations of each task in a draw.
        draws: draws of observations in an outer step.
    """

    def __init__(self, task_batch: int, point_batch: int, draws: int, **frame: Any):
        super().__init__(**frame)
        if not isinstance(self.model.modulation, Weights):
            raise ValueError(
                "a learner of initialisations needs codes that are weight changes, got a modulation "
                f"{type(self.model.modulation).__name__}; use modulation=weights"
            )
        self.register_buffer("codes", torch.zeros(1, self.model.code_dim), persistent=False)
        self.batches = Batches(self.seed, self.tasks, self.points, min(task_batch, self.tasks), point_batch, draws)

    @property
    def weights(self) -> Weights:
        assert isinstance(self.model.modulation, Weights)
        return self.model.modulation

    @property
    def trained(self) -> list[nn.Parameter]:
        """What the outer optimizer moves."""
        return list(self.parameters())

    def make_optimizer(self) -> Optimizer:
        return torch.optim.Adam(
            self.trained, lr=self.settings["base_rate"], betas=(0.9, self.settings["beta2"]), fused=True
        )

    def configure_optimizers(self) -> list[Optimizer]:
        self.outer = self.make_optimizer()
        for group in self.outer.param_groups:
            group["rate"] = group["lr"]
        return [self.outer]

    def drawn(self, step: int) -> list[tuple[Tensor, Tensor]]:
        """States and derivatives `[..., batch, points, state]` of each draw of an outer step."""
        batch = self.batches[step]
        tasks = batch.tasks.to(self.device)
        return [self.observed(tasks, points) for points in batch.points.to(self.device)]

    def no_change(self, states: Tensor) -> Tensor:
        """Codes `[..., batch, code]` at zero, where the tasks of states `[..., batch, points, state]` begin."""
        return self.codes.new_zeros(*states.shape[:-2], self.model.code_dim)

    def step_along(self, gradients: Sequence[Tensor | None], step: int) -> None:
        """One step of the outer optimizer, at the rate of this outer step."""
        for group in self.outer.param_groups:
            group["lr"] = group["rate"] * self.rate_factor(step)
        for parameter, gradient in zip(self.trained, gradients, strict=True):
            parameter.grad = None if gradient is None else gradient.contiguous()
        self.outer.step()
