"""Algorithm 1: base, hyper-network and one evolving code per training task.

Loss of a batch of tasks B, with r(k) the mean over points of the squared standardised residual of task k:

    sum_{k in B} (r(k) + lambda_z |z(k)|_2) + |B| (lambda_phi |phi|_2 + penalty of the modulation)

The sum over tasks makes the gradient of a code independent of its batch mates; divided by |B| the rest is the mean loss
that the base sees, and Adam does not feel the factor. The norms are not squared.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from metastruct.data.tasks import Batch
from metastruct.learners.learner import Learner


class AutoDecoding(Learner):
    """Meta-training with evolving codes (paper, algorithm 1) and its variants.

    Args:
        schedule: "alternating": N_in updates of the batch's codes with the base frozen, then N_out of base and
            hyper-network with the codes frozen; "joint": codes and base step together.
        codes: "evolving", or "reset": the codes of a batch return to zero before it (Dupont et al. 2022), the control.
        inner_steps, outer_steps: N_in and N_out of the alternating schedule.
        task_batch: tasks of a batch.
        point_batch: observations of each task in an update.
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
        super().__init__(**frame)
        if codes == "reset" and schedule == "joint":
            raise ValueError(
                "learner.codes=reset needs learner.schedule=alternating: joint codes would take one step only"
            )
        self.joint, self.reset = schedule == "joint", codes == "reset"
        self.inner_steps, self.outer_steps = inner_steps, outer_steps
        self.task_batch, self.point_batch = min(task_batch, len(self.states)), point_batch
        self.codes = nn.Parameter(torch.zeros(len(self.states), self.model.code_dim))

    def configure_optimizers(self) -> list[Optimizer]:
        betas = (0.9, self.settings["beta2"])
        self.base_optimizer = torch.optim.Adam(
            self.model.parameters(), lr=self.settings["base_rate"], betas=betas, fused=True
        )
        # Adam would move the codes of tasks outside the batch by their momentum; its sparse form leaves them alone.
        self.lazy = self.task_batch < len(self.codes)
        kind, more = (torch.optim.SparseAdam, {}) if self.lazy else (torch.optim.Adam, {"fused": True})
        self.code_optimizer = kind([self.codes], lr=self.settings["code_rate"], betas=betas, **more)
        return [self.base_optimizer, self.code_optimizer]

    def outer_update(self, step: int) -> Tensor:
        base, code = self.base_optimizer, self.code_optimizer
        factor = self.rate_factor(step)
        base.param_groups[0]["lr"] = self.settings["base_rate"] * factor
        code.param_groups[0]["lr"] = self.settings["code_rate"] * factor
        updates = 1 if self.joint else self.inner_steps + self.outer_steps
        batch = Batch.draw(
            self.seed, step, len(self.states), self.states.shape[1], self.task_batch, self.point_batch, updates
        )
        tasks, points = batch.tasks.to(self.states.device), batch.points.to(self.states.device)
        if self.joint:
            return self._update(tasks, points[0], base, code)
        if self.reset:
            with torch.no_grad():
                self.codes[tasks] = 0.0
            code.state.clear()
        for inner in range(self.inner_steps):
            self._update(tasks, points[inner], None, code)
        for outer in range(self.inner_steps, updates):
            loss = self._update(tasks, points[outer], base, None)
        return loss

    def _update(self, tasks: Tensor, points: Tensor, base: Optimizer | None, code: Optimizer | None) -> Tensor:
        """One gradient step of what the given optimizers hold, on one draw of points; None is frozen."""
        rows = tasks[:, None]
        codes = self.codes.detach()[tasks].requires_grad_(code is not None)
        losses = self.model.task_loss(self.states[rows, points], self.derivatives[rows, points], codes)
        objective, wanted = losses.sum(), []
        if code is not None:
            objective = objective + self.locality["lambda_z"] * torch.linalg.vector_norm(codes, dim=-1).sum()
            wanted.append(codes)
        if base is not None:
            wanted += self.model.parameters()
            objective = objective + len(tasks) * self._locality_of_the_base()
        gradients = iter(torch.autograd.grad(objective, wanted))
        if code is not None:
            gradient = next(gradients)
            sparse = torch.sparse_coo_tensor(tasks[None], gradient, self.codes.shape) if self.lazy else gradient
            self.codes.grad = sparse
            code.step()
        if base is not None:
            for parameter, gradient in zip(self.model.parameters(), gradients, strict=True):
                parameter.grad = gradient
            base.step()
        return losses.detach().mean()

    def _locality_of_the_base(self) -> Tensor | float:
        """lambda_phi |phi|_2, one norm over the whole hyper-network, and the modulation's own penalty."""
        phi = torch.cat([parameter.flatten() for parameter in self.model.modulation.hypernetwork.parameters()])
        return self.locality["lambda_phi"] * torch.linalg.vector_norm(phi) + self.model.modulation.penalty()

    def diagnostics(self) -> dict[str, float]:
        spread = float(self.codes.detach().std(0).mean())
        return {"train/code_spread": spread} | {
            f"train/{name}": value for name, value in self.model.modulation.diagnostics(self.codes).items()
        }
