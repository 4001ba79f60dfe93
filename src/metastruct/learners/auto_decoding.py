"""Algorithm 1: base, hyper-network and one evolving code per training task.

Loss of a batch of tasks B, with r(k) the mean over points of the squared standardised residual of task k:

    sum_{k in B} (r(k) + lambda_z |z(k)|_2) + |B| (lambda_phi |phi|_2 + penalty of the modulation)

The sum over tasks makes the gradient of a code independent of its batch mates; divided by |B| the rest is the mean loss
that the base sees, and Adam does not feel the factor. The norms are not squared.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from metastruct.config.stages import TWIN
from metastruct.data.batches import Batches
from metastruct.data.recordings import Recordings
from metastruct.dynamics.model import ModulatedModel
from metastruct.learners.bootstrap import goes_along
from metastruct.learners.calibration import calibrated, completed, parted, with_weights
from metastruct.learners.learner import Learner, own_gradients
from metastruct.optimizers.residuals import Residuals
from metastruct.recording.portions import Portions
from metastruct.recording.recorded import Recorded

AGAIN, ALONG = 0.25, 1.0  # steps of a twin over those of the training, measured on springs and, without derivatives, on
# pendulums of data.seed=1: a quarter of a weak training tells of half of the variance that it learned
CHUNK = 256  # points of a task at a time, where all are looked at


class AutoDecoding(Learner):
    """Meta-training with evolving codes (paper, algorithm 1) and its variants.

    Args:
        schedule: "alternating": N_in updates of the batch's codes with the base frozen, then N_out of base and
            hyper-network with the codes frozen; "joint": codes and base step together.
        codes: "evolving", or "reset": the codes of a batch return to zero before it (Dupont et al. 2022), the control.
            Its code rate is not annealed: codes that begin at zero each time would end where they began.
        inner_steps, outer_steps: N_in and N_out of the alternating schedule.
        task_batch: tasks of a batch; all of them where there are fewer.
        point_batch: observations of each task in an update; one window at least, where the objective asks for windows.
    """

    def __init__(
        self,
        schedule: str,
        codes: str,
        inner_steps: int,
        outer_steps: int,
        task_batch: int,
        point_batch: int,
        **frame: Any,
    ):
        objective, judges = frame["objective"], self._judges(frame)
        super().__init__(**frame)
        self.judged = objective, frame["recordings"], judges
        self.schedule, self.outer_steps, self.point_batch = schedule, outer_steps, point_batch
        self.joint, self.reset = schedule == "joint", codes == "reset"
        self.inner_steps = inner_steps
        self.task_batch = min(task_batch, self.tasks)
        updates = 1 if self.joint else inner_steps + outer_steps
        self.batches = Batches(self.seed, self.counts, self.task_batch, self.draws(point_batch), updates)
        self.codes = nn.Parameter(torch.zeros(self.tasks, self.model.code_dim))
        self.portions = Portions(partial(self._gradients, base=True, code=True))
        for base, code in ((True, True), (True, False), (False, True)):
            self.recordings[base, code] = Recorded(partial(self._gradients, base=base, code=code))

    @staticmethod
    def _judges(frame: dict[str, Any]) -> Recordings | None:
        """What is kept from the training, and no longer in the frame, to judge it; None without noise."""
        if not frame["objective"].noisy(frame["recordings"]):
            return None
        frame["recordings"], judges = parted(frame["recordings"])
        return judges

    def configure_optimizers(self) -> list[Optimizer]:
        """What moves base, hyper-network and codes."""
        self.base = list(self.model.parameters())
        self.lazy = self.task_batch < self.tasks  # are there tasks outside the batch, whose codes must not move?
        assert isinstance(self.codes, nn.Parameter)
        self.rules = self.optimizer.over(self.base, self.codes, self.lazy, len(self.replicas))
        if self.reset:
            for rule in self.rules:
                for group in rule.param_groups:
                    group["constant"] = any(parameter is self.codes for parameter in group["params"])
        return self.rules

    def outer_update(self, step: int) -> Tensor:
        self.optimizer.anneal(self.rules, step, self.steps)
        batch = self.batches[step]
        tasks, points = batch.tasks.to(self.device), batch.points.to(self.device)
        if self.optimizer.by_residuals(step, self.steps):
            return self.optimizer.solve(self.rules, self._residuals(tasks, points[0]), step, self.steps)
        if self.joint:
            return self._update(tasks, points[0], base=True, code=True)
        if self.reset:
            self._forget(tasks)
        for inner in range(self.inner_steps):
            self._update(tasks, points[inner], base=False, code=True)
        for outer in range(self.inner_steps, len(points)):
            loss = self._update(tasks, points[outer], base=True, code=False)
        return loss

    def _forget(self, tasks: Tensor) -> None:
        """Codes to zero, and what the optimizer remembers of codes."""
        with torch.no_grad():
            self.codes[self._index(tasks)] = 0.0
        for rule in self.rules:
            rule.state.pop(self.codes, None)

    def _index(self, tasks: Tensor) -> tuple[Tensor, ...]:
        """Where the codes of tasks `[..., batch]` are."""
        return *(torch.arange(n, device=tasks.device)[:, None] for n in self.replicas), tasks

    def _residuals(self, tasks: Tensor, points: Tensor) -> Residuals:
        """The loss of a batch as a sum of squares."""
        assert isinstance(self.codes, nn.Parameter)
        weight = self.locality["lambda_z"]
        return Residuals(
            self.model,
            self.objective,
            self.observed(tasks, points),
            self.codes,
            self._index(tasks),
            self._locality_of_the_base,
            (lambda codes: weight * torch.linalg.vector_norm(codes, dim=-1)) if weight else None,
        )

    def _update(self, tasks: Tensor, points: Tensor, base: bool, code: bool) -> Tensor:
        """One gradient step of the base (with the hyper-network), of the codes of a batch, or of both."""
        loss, *gradients = self.portions.mean(self.recordings[base, code], tasks, points)
        self.codes.grad = self._by_codes(tasks, gradients.pop(0)) if code else None
        for parameter, gradient in zip(self.base, gradients if base else [None] * len(self.base), strict=True):
            parameter.grad = gradient
        for rule in self.rules:
            rule.step()
        return loss

    def _gradients(self, tasks: Tensor, points: Tensor, base: bool, code: bool) -> tuple[Tensor, ...]:
        """The mean loss of a batch `[...]`, then the gradients of its codes and of the base, where wanted."""
        codes = (self.codes.detach()[self._index(tasks)] if self.lazy else self.codes.detach()).requires_grad_(code)
        losses = self.loss_of(self.observed(tasks, points), codes)
        objective, parameters = losses.sum(-1), []
        if code:
            objective = objective + self.locality["lambda_z"] * torch.linalg.vector_norm(codes, dim=-1).sum(-1)
            parameters.append(codes)
        if base:
            objective = objective + tasks.shape[-1] * self._locality_of_the_base()
            parameters += self.base
        # Fused Adam walks through memory: a gradient must lie in it as its parameter does.
        gradients = [gradient.contiguous() for gradient in own_gradients(objective, parameters)]
        return losses.detach().mean(-1), *gradients

    def _by_codes(self, tasks: Tensor, gradient: Tensor) -> Tensor:
        """The gradient of the codes of a batch as one of all codes, sparse where there are others."""
        if not self.lazy:
            return gradient
        places = torch.stack(torch.broadcast_tensors(*self._index(tasks))).flatten(1)
        return torch.sparse_coo_tensor(places, gradient.flatten(0, -2), self.codes.shape, check_invariants=False)

    def _locality_of_the_base(self) -> Tensor | float:
        """lambda_phi |phi|_2, one norm over the whole hyper-network, and the modulation's own penalty, `[...]`."""
        axes, hypernetwork = len(self.replicas), self.model.modulation.hypernetwork
        phi = torch.cat([parameter.flatten(axes) for parameter in hypernetwork.parameters()], dim=-1)
        return self.locality["lambda_phi"] * torch.linalg.vector_norm(phi, dim=-1) + self.model.modulation.penalty()

    @torch.no_grad()
    def unexplained(self) -> Tensor:
        """Over everything that is seen of the training tasks, each with its own code."""
        counts = torch.from_numpy(self.counts).to(self.device)
        tasks = torch.arange(self.tasks, device=self.device).expand(*self.replicas, -1)
        components = self.objective.components(len(self.model.dynamics.state_mean))
        total, number = torch.zeros((), dtype=torch.float64, device=self.device), 0
        for draws in torch.arange(int(counts.max()), device=self.device).split(max(1, CHUNK // self.objective.window)):
            valid = draws < counts[:, None]
            draws = torch.minimum(draws, counts[:, None] - 1).expand(*self.replicas, -1, -1)
            squares = self.objective.unexplained(self.model, self.observed(tasks, draws), self.codes)
            squares = squares.unflatten(-1, (len(valid[0]), -1, components)).mean(-2)
            total = total + (squares * valid[..., None]).sum((-3, -2))
            number += int(valid.sum())
        return (total / number).clamp_min(0)

    def results(self) -> list[dict[str, Any]]:
        results = super().results()
        objective, recordings, judges = self.judged
        for number, result in enumerate(results):
            if result["diverged_at"] is not None:
                continue
            parts, training = (result, self.model, objective, recordings), partial(self._twin, result)
            results[number] = completed(*parts, training) if judges is None else calibrated(*parts, judges, training)
        return results

    def _twin(self, result: dict[str, Any], recordings: Recordings) -> tuple[ModulatedModel, Tensor]:
        """Model and codes of a training that goes on from a result with other observations, in float64."""
        twin = _Twin(
            schedule=self.schedule,
            codes="reset" if self.reset else "evolving",
            inner_steps=self.inner_steps,
            outer_steps=self.outer_steps,
            task_batch=self.task_batch,
            point_batch=self.point_batch,
            model=with_weights(self.model, result["model"]).to(recordings.dtype).train().requires_grad_(True),
            recordings=recordings,
            objective=self.judged[0],
            steps=max(1, round((ALONG if goes_along(recordings) else AGAIN) * self.steps)),
            steps_per_epoch=self.steps_per_epoch,
            seed=0,
            optimizer=self.optimizer,
            locality=self.locality,
        )
        with torch.enable_grad():
            twin.codes.data.copy_(result["codes"])
            twin.complete(TWIN)
        return twin.model.double().eval().requires_grad_(False), twin.codes.detach().double()

    def diagnostics(self) -> dict[str, float]:
        spread = float(self.codes.detach().std(-2, correction=0).mean())
        return {"train/code_spread": spread} | {
            f"train/{name}": value for name, value in self.model.modulation.diagnostics(self.codes).items()
        }


class _Twin(AutoDecoding):
    """A training that is judged by nobody."""

    @staticmethod
    def _judges(frame: dict[str, Any]) -> Recordings | None:
        return None
