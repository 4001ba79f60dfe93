"""What the learners share that learn where a task begins: base weights, and no codes to keep."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from metastruct.config.facts import providing
from metastruct.data.batches import Batches
from metastruct.data.observations import Observations
from metastruct.learners.learner import Learner, own_gradients
from metastruct.modulation.weights import Weights
from metastruct.recording.recorded import Recorded


class Initialisation(Learner):
    """A learner of where tasks begin: with a code of zero, and no training task keeps its own.

    The rate of codes and the locality play no part.

    Args:
        task_batch: tasks of a batch; all of them where there are fewer.
        point_batch: observations of each task in a draw.
        draws: draws of observations in an outer step.
    """

    def __init__(self, task_batch: int, point_batch: int, draws: int, **frame: Any):
        super().__init__(**frame)
        self.register_buffer("codes", torch.zeros(1, self.model.code_dim), persistent=False)
        self.batches = Batches(self.seed, self.counts, min(task_batch, self.tasks), self.draws(point_batch), draws)
        self.recordings["gradients"] = Recorded(self._gradients)

    @property
    def weights(self) -> Weights:
        """The modulation whose codes are weight changes.

        Raises:
            ValueError: codes are something else.
        """
        if not isinstance(self.model.modulation, Weights):
            raise ValueError(
                "a learner of base weights needs codes that are weight changes, got a modulation "
                f"{type(self.model.modulation).__name__}; use {providing('modulation', 'code', 'weights')}"
            )
        return self.model.modulation

    @property
    def trained(self) -> list[nn.Parameter]:
        """What the outer optimizer moves."""
        return list(self.parameters())

    def configure_optimizers(self) -> list[Optimizer]:
        """That of the outer loop."""
        self.rules = self.optimizer.over(self.trained, replicas=len(self.replicas))
        return self.rules

    def outer_update(self, step: int) -> Tensor:
        batch = self.batches[step]
        loss, *gradients = self.recordings["gradients"](batch.tasks.to(self.device), batch.points.to(self.device))
        self.step_along(gradients, step)
        return loss

    def _gradients(self, tasks: Tensor, points: Tensor) -> tuple[Tensor, ...]:
        """The mean loss of a batch `[...]`, then the gradients of all that is trained."""
        loss = self.losses(tasks, points).mean(-1)
        return loss.detach(), *(gradient.contiguous() for gradient in own_gradients(loss, self.trained))

    def losses(self, tasks: Tensor, points: Tensor) -> Tensor:
        """`outer_losses` of tasks `[..., batch]` and the draws of their points `[draws, ..., batch, points]`."""
        return self.outer_losses(*(self.observed(tasks, draws) for draws in points))

    @abstractmethod
    def outer_losses(self, *draws: Observations) -> Tensor:
        """What an outer step descends on, `[..., tasks]`, from the observations of its draws, with its graph."""

    def drawn(self, step: int) -> list[Observations]:
        """The observations of each draw of an outer step."""
        batch = self.batches[step]
        tasks = batch.tasks.to(self.device)
        return [self.observed(tasks, points) for points in batch.points.to(self.device)]

    def no_change(self, observations: Observations) -> Tensor:
        """Codes `[..., batch, code]` at zero, where the tasks of these observations begin."""
        return self.codes.new_zeros(*observations.states.shape[:-2], self.model.code_dim)

    def step_along(self, gradients: Sequence[Tensor | None], step: int) -> None:
        """One step of the outer optimizer, at the rate of this outer step."""
        self.optimizer.anneal(self.rules, step, self.steps)
        for parameter, gradient in zip(self.trained, gradients, strict=True):
            parameter.grad = gradient
        for rule in self.rules:
            rule.step()
