"""What every meta-learner shares: the data, the loop over outer steps, the guard against NaN, the state to resume from.

A Lightning `training_step` runs `steps_per_epoch` outer steps, for the nets are small and the trainer costs as much as
one of their steps. The learner counts its own outer steps; batches, learning rates and everything else depend on that
count and the seed alone, so a run that resumes at a checkpoint ends with the numbers of one that was never stopped.

Learners index from the right, as models do: `replicas.together` puts the numbers of several seeds along a leading axis,
`[replicas, ...]`, and one step trains them all. Without that axis it is the training of one seed.
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from lightning import LightningModule
from torch import Tensor

from metastruct.config.stages import tell
from metastruct.data.batches import Batches
from metastruct.data.observations import Observations
from metastruct.data.recordings import Recordings
from metastruct.data.units import Units
from metastruct.dynamics.model import ModulatedModel
from metastruct.learners.course import Course
from metastruct.objectives.objective import Objective
from metastruct.optimizers.optimizer import Optimizer
from metastruct.recording.recorded import Recorded

LAYOUT = 4  # of what a checkpoint holds; raise it with that, and older ones are not gone on from


class Learner(LightningModule):
    """Base of the meta-learners.

    Args:
        model: the modulated model to train.
        recordings: what is seen of the training tasks.
        objective: what they are fitted by.
        steps: outer steps in all; where a time decides, it is set before the training begins.
        steps_per_epoch: outer steps of one `training_step`.
        seed: of the batches.
        optimizer: how the outer steps follow their gradients.
        locality: lambda_z, lambda_phi.
        may_diverge: is a loss that is not finite a result? Then the training ends with a model of NaN.
    """

    batches: Batches
    codes: Tensor  # of the training tasks, [..., tasks, code]
    observations: Tensor  # what the objective reads, side by side, [points of all tasks, ...]
    windows: Tensor  # the first point of every window, task by task
    first: Tensor  # the first window of every task, [tasks]

    def __init__(
        self,
        model: ModulatedModel,
        recordings: Recordings,
        objective: Objective,
        steps: int,
        steps_per_epoch: int,
        seed: int,
        optimizer: Optimizer,
        locality: dict[str, Any],
        may_diverge: bool = False,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.tasks, self.objective, self.numbers = len(recordings), objective.in_training(), dict(objective.numbers)
        objective.check(recordings.parts)
        parts, windows, self.counts = self.objective.laid(recordings)
        parts |= recordings.read([name for name in model.reads if name not in parts])
        self.widths = {name: values.shape[-1] for name, values in parts.items()}
        self.register_buffer("observations", torch.cat([*parts.values()], dim=-1), persistent=False)
        self.register_buffer("windows", windows, persistent=False)
        self.register_buffer("first", torch.from_numpy(self.counts.cumsum() - self.counts), persistent=False)
        self.steps, self.steps_per_epoch, self.seed = steps, steps_per_epoch, seed
        self.optimizer, self.locality, self.may_diverge = optimizer, locality, may_diverge
        self.outer_step, self.seconds, self.courses = 0, 0.0, [Course()]
        self.recordings: dict[Any, Recorded] = {}
        self.units: Units | None = None  # in which the model is trained, where they are not those of the data

    def _apply(self, *arguments: Any) -> Learner:
        """What moves the numbers elsewhere, or into another precision, ends what was recorded of them."""
        for recording in self.recordings.values():
            recording.forget()
        learner: Learner = super()._apply(*arguments)
        return learner

    @property
    def evaluations(self) -> int:
        """What an outer step costs: gradient evaluations x points, over all its tasks; one at each point of a batch."""
        return math.prod(self.batches.shape) * self.objective.window

    @abstractmethod
    def outer_update(self, step: int) -> Tensor:
        """One outer step; returns the mean loss of its batch, `[...]`, detached and without waiting for the device."""

    @property
    def replicas(self) -> torch.Size:
        """The leading axis: empty for one seed."""
        return self.codes.shape[:-2]

    def each(self) -> Iterator[tuple[Course, tuple[int, ...]]]:
        """Every replica's course, and the index of its numbers."""
        return zip(self.courses, np.ndindex(*self.replicas), strict=True)

    def own(self) -> dict[str, Tensor]:
        """What differs between seeds: parameters, and what the model was initialised with; the rest is of the data."""
        initialised = {f"model.{name}": values for name, values in self.model.initialised().items()}
        return initialised | dict(self.named_parameters()) | {"codes": self.codes}

    def observed(self, tasks: Tensor, draws: Tensor) -> Observations:
        """Of tasks `[..., batch]` their points, or windows of points, of the numbers `[..., batch, draws]`."""
        rows = self.first[tasks][..., None] + draws
        length = self.objective.window
        if length > 1:
            rows = (self.windows[rows][..., None] + torch.arange(length, device=rows.device)).flatten(-2)
        values = self.observations.index_select(0, rows.flatten()).unflatten(0, rows.shape)
        return Observations(**dict(zip(self.widths, values.split([*self.widths.values()], dim=-1), strict=True)))

    def draws(self, point_batch: int) -> int:
        """Windows that hold about so many points, one at least."""
        return max(1, point_batch // self.objective.window)

    def loss_of(self, observations: Observations, codes: Tensor | None) -> Tensor:
        """The loss of each task, `[..., tasks]`."""
        return self.objective.loss(self.model, observations, codes)

    def on_train_start(self) -> None:
        """End at once where the training has ended before."""
        self.trainer.should_stop = self.ended

    def training_step(self, batch: Any, batch_index: int) -> None:
        """One outer step, with its loss and its curves."""
        self.advance()
        self.trainer.should_stop = self.ended
        self.log_dict({"train/loss": self.loss, "outer_step": float(self.outer_step), **self.diagnostics()})

    def advance(self) -> None:
        """As many outer steps as an epoch has, and a look at their losses."""
        began = self.clock()
        for recording in self.recordings.values():
            recording.expect(round(self.steps * (1 - self.optimizer.share_by_residuals)))
        last = min(self.outer_step + self.steps_per_epoch, self.steps)
        losses = torch.stack([self.outer_update(step) for step in range(self.outer_step, last)])
        self._judge(losses, last)
        self.outer_step = last
        self.seconds += self.clock() - began

    def complete(self, stage: str = "training: step") -> None:
        """All outer steps, without a trainer: nothing is logged, and nothing kept on the way.

        Args:
            stage: that is told of each.
        """
        self.configure_optimizers()
        while not self.ended:
            self.advance()
            tell(stage, self.outer_step, self.steps)

    @property
    def ended(self) -> bool:
        """Are all outer steps made, or has every replica diverged?"""
        return self.outer_step >= self.steps or all(course.diverged_at is not None for course in self.courses)

    def clock(self) -> float:
        """Seconds of computing: of this thread on a CPU, where busy neighbours do not count, else of the wall."""
        return time.thread_time() if self.device.type == "cpu" else time.perf_counter()

    def _judge(self, losses: Tensor, last: int) -> None:
        """Losses `[steps, ...]` up to an outer step into the history; a replica whose loss is not finite has diverged.

        No number of its model means anything then, and every one of them says so.
        """
        means = losses.mean(0).cpu()  # waits for the device once, not once a replica
        for course, index in self.each():
            if course.diverged_at is not None:
                continue
            course.history.append((last, float(means[index])))
            if not means[index].isfinite():
                finite = losses.movedim(0, -1)[index].isfinite().tolist()
                course.diverged_at = self.outer_step + finite.index(False) if False in finite else last
                with torch.no_grad():
                    for parameter in self.parameters():
                        parameter[index].fill_(math.nan)

    @property
    def loss(self) -> float:
        """The training loss now, the mean over the replicas that have not diverged."""
        now = [course.history[-1][1] for course in self.courses if course.history and course.diverged_at is None]
        return sum(now) / len(now) if now else math.nan

    def diagnostics(self) -> dict[str, float]:
        """Numbers worth a curve, once an epoch."""
        return {}

    def finite(self) -> bool:
        """Is all that has not diverged finite? Asked before a checkpoint replaces the last good one."""
        going = [index for course, index in self.each() if course.diverged_at is None]
        return bool(going) and all(bool(p[index].isfinite().all()) for p in self.parameters() for index in going)

    def unexplained(self) -> Tensor | None:
        """Variance of each component of the residual that codes leave, `[..., components]`; None without such codes."""
        return None

    def results(self) -> list[dict[str, Any]]:
        """What is kept of each replica: what a training of its seed alone would leave, in its share of the time."""
        by_seed, state, noise = self.own(), self.model.state_dict(), self.unexplained()
        return [
            {
                "model": {name: t[index].clone() if f"model.{name}" in by_seed else t for name, t in state.items()},
                "codes": self.codes.detach()[index].clone(),
                "noise": None if noise is None else noise[index].clone(),
                "objective": self.numbers,
                "outer_step": self.outer_step,
                "seconds": self.seconds / len(self.courses),
                "history": course.history,
                "diverged_at": course.diverged_at,
                "units": None if self.units is None else self.units.as_dict(),
            }
            for course, index in self.each()
        ]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What a checkpoint holds beside the weights."""
        progress = {"outer_step": self.outer_step, "steps": self.steps, "seconds": self.seconds, "layout": LAYOUT}
        checkpoint["learner"] = progress | {"courses": [asdict(course) for course in self.courses]}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from what a checkpoint holds."""
        kept = checkpoint["learner"]
        self.outer_step, self.steps, self.seconds = kept["outer_step"], kept["steps"], kept["seconds"]
        self.courses = [Course(**course) for course in kept["courses"]]


def own_gradients(objective: Tensor, leaves: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The gradients of objectives `[...]`, each of which depends on the numbers of its own replica alone."""
    return torch.autograd.grad(objective, leaves, torch.ones_like(objective))
