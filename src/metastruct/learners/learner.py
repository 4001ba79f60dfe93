"""What every meta-learner shares: the data, the loop over outer steps, the guard against NaN, the state to resume from.

A Lightning `training_step` runs `steps_per_epoch` outer steps, for the nets are small and the trainer costs as much as
one of their steps. The learner counts its own outer steps; batches, learning rates and everything else depend on that
count and the seed alone, so a run that resumes at a checkpoint ends with the numbers of one that was never stopped.
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor

from metastruct.data.tasks import Tasks
from metastruct.dynamics.model import ModulatedModel


class Diverged(RuntimeError):
    """The loss or a parameter is no longer finite."""


class Learner(LightningModule):
    """Base of the meta-learners.

    Args:
        model: the modulated model to train.
        tasks: observations of the training tasks.
        steps: outer steps in all.
        steps_per_epoch: outer steps of one `training_step`.
        seed: of the batches.
        optimizer: base_rate, code_rate, warmup, beta2.
        locality: lambda_z, lambda_phi.
        may_diverge: is a loss that is not finite a result? Then the training ends with a model of NaN.
    """

    codes: Tensor  # of the training tasks, [tasks, code]
    observations: Tensor  # states and derivatives side by side, [tasks * points, 2 * state]

    def __init__(
        self,
        model: ModulatedModel,
        tasks: Tasks,
        steps: int,
        steps_per_epoch: int,
        seed: int,
        optimizer: dict[str, Any],
        locality: dict[str, Any],
        may_diverge: bool = False,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        joined = torch.cat([tasks.states, tasks.derivatives], dim=-1)
        self.tasks, self.points = joined.shape[:2]
        self.register_buffer("observations", joined.flatten(0, 1), persistent=False)
        self.steps, self.steps_per_epoch, self.seed = steps, steps_per_epoch, seed
        self.settings, self.locality, self.may_diverge = optimizer, locality, may_diverge
        self.diverged_at: int | None = None
        self.outer_step = 0
        self.seconds = 0.0
        self.history: list[tuple[int, float]] = []  # outer step, training loss there

    @property
    @abstractmethod
    def evaluations(self) -> int:
        """What an outer step costs: gradient evaluations x points, over all its tasks."""

    @abstractmethod
    def outer_update(self, step: int) -> Tensor:
        """One outer step; returns the mean loss of its batch, detached and without waiting for the device."""

    def observed(self, tasks: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """States and derivatives `[batch, points, state]` of tasks `[batch]` at points `[batch, points]`."""
        rows = (tasks[:, None] * self.points + points).flatten()
        x, dxdt = self.observations.index_select(0, rows).unflatten(0, points.shape).chunk(2, dim=-1)
        return x, dxdt

    def rate_factor(self, step: int) -> float:
        """Learning rate at `step` over its first value: a linear warm-up, then half a cosine."""
        warmup = self.settings["warmup"]
        return min(1.0, (step + 1) / (warmup + 1)) * (1 + math.cos(math.pi * step / self.steps)) / 2

    def on_train_start(self) -> None:
        self.trainer.should_stop = self.outer_step >= self.steps

    def training_step(self, batch: Any, batch_index: int) -> None:
        began = time.perf_counter()
        last = min(self.outer_step + self.steps_per_epoch, self.steps)
        losses = [self.outer_update(step) for step in range(self.outer_step, last)]
        loss = float(torch.stack(losses).mean())
        if not math.isfinite(loss):
            finite = torch.stack(losses).isfinite().tolist()
            bad = self.outer_step + finite.index(False) if False in finite else last
            if not self.may_diverge:
                raise Diverged(
                    f"the training loss is not finite at outer step {bad} of {self.steps}; "
                    "the last good checkpoint is kept; lower optimizer.base_rate and optimizer.code_rate"
                )
            self._give_up(bad)
        self.outer_step = last
        self.seconds += time.perf_counter() - began
        self.history.append((last, loss))
        self.trainer.should_stop = last >= self.steps or self.diverged_at is not None
        self.log_dict({"train/loss": loss, "outer_step": float(last), **self.diagnostics()})

    def _give_up(self, step: int) -> None:
        """The training has diverged: no number of the model means anything, and every one of them says so."""
        self.diverged_at = step
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.fill_(math.nan)

    def diagnostics(self) -> dict[str, float]:
        """Numbers worth a curve, once an epoch."""
        return {}

    def finite(self) -> bool:
        """Are all parameters finite? Asked before a checkpoint replaces the last good one."""
        return all(bool(parameter.isfinite().all()) for parameter in self.parameters())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["learner"] = {"outer_step": self.outer_step, "seconds": self.seconds, "history": self.history}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        kept = checkpoint["learner"]
        self.outer_step, self.seconds = kept["outer_step"], kept["seconds"]
        self.history = [(int(step), float(loss)) for step, loss in kept["history"]]
