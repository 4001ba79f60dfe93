"""Auto-decoding (algorithm 2): N_test gradient steps on the code of each new task."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior, frozen
from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective
from metastruct.recording.recorded import Recorded

LEVEL = 0.01
PRECISIONS = {"single": torch.float32, "double": torch.float64}


class GradientDescent(Adaptation):
    """Adam, or plain descent, on sum_tasks (mean_points |r|^2 + lambda_z |z|_2), r the residual of the objective.

    A task has converged when the norm of its gradient has fallen to the share `LEVEL` of the largest on its way, or
    promises no more than that share of the loss within the length of its code.

    The loss is summed over tasks and averaged over points, and either acts on every number apart, so that the fit of a
    task does not depend on the tasks beside it.

    Args:
        steps: N_test.
        learning_rate: first step size; it falls to zero along half a cosine.
        lambda_z: weight of the norm of a code.
        optimizer: "adam" or "sgd".
        precision: of the steps and of the losses before them, "single" or "double"; that of the model at the end.
    """

    def __init__(
        self,
        steps: int,
        learning_rate: float,
        lambda_z: float = 0.0,
        optimizer: str = "adam",
        precision: str = "double",
    ):
        self.steps, self.learning_rate, self.lambda_z = steps, learning_rate, lambda_z
        self.optimizer = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD
        self.dtype = PRECISIONS[precision]

    def fit(
        self,
        model: ModulatedModel,
        objective: Objective,
        observations: Observations,
        start: Tensor,
        prior: Prior | None = None,
    ) -> Fit:
        same = start.dtype == self.dtype
        inside = model if same else copy.deepcopy(model).to(self.dtype)
        observations = objective.renewed(model, observations, start.detach())
        observed = observations if same else observations.to(self.dtype)

        def with_gradient(codes: Tensor) -> tuple[Tensor, Tensor]:
            with torch.enable_grad():
                codes = codes.detach().requires_grad_()
                losses = objective.loss(inside, observed, codes)
                total = losses.sum()
                if self.lambda_z:
                    total = total + self.lambda_z * torch.linalg.vector_norm(codes, dim=-1).sum()
                (gradient,) = torch.autograd.grad(total, codes)
            return losses.detach(), gradient.contiguous()

        with frozen(inside):
            codes, trace, steepest = self._descend(
                Recorded(with_gradient, self.steps), start.detach().to(self.dtype, copy=True)
            )
            losses, gradient = with_gradient(codes)
        slope = torch.linalg.vector_norm(gradient, dim=-1)
        flat = slope * torch.linalg.vector_norm(codes, dim=-1) <= LEVEL * losses
        with torch.no_grad():
            codes = codes.to(start.dtype)
            trace.append(objective.loss(model, observations, codes))
        return Fit(
            codes,
            torch.stack([losses.to(start.dtype) for losses in trace]),
            converged=slope.isfinite() & ((slope <= LEVEL * steepest) | flat),
        )

    def _descend(
        self, with_gradient: Callable[[Tensor], tuple[Tensor, ...]], codes: Tensor
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """Codes `[tasks, code]` after the steps, the losses `[tasks]` before each, and the largest gradients' norms."""
        fused = codes.device.type in ("cpu", "cuda")
        optimizer, trace = self.optimizer([codes], lr=self.learning_rate, fused=fused), []
        steepest = codes.new_zeros(len(codes))
        for step in range(self.steps):
            optimizer.param_groups[0]["lr"] = self.learning_rate * (1 + math.cos(math.pi * step / self.steps)) / 2
            losses, codes.grad = with_gradient(codes)
            steepest = torch.maximum(steepest, torch.linalg.vector_norm(codes.grad, dim=-1))
            optimizer.step()
            trace.append(losses)
        return codes, trace, steepest
