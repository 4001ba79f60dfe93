"""Auto-decoding (algorithm 2): N_test gradient steps on the code of each new task."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior, frozen
from metastruct.data.observations import Observations
from metastruct.dynamics.model import ModulatedModel
from metastruct.objectives.objective import Objective


class GradientDescent(Adaptation):
    """Adam, or plain descent, on sum_tasks (mean_points |r|^2 + lambda_z |z|_2), r the residual of the objective.

    The loss is summed over tasks and averaged over points, and either acts on every number apart, so that the fit of a
    task does not depend on the tasks beside it.

    Args:
        steps: N_test.
        learning_rate: first step size; it falls to zero along half a cosine.
        lambda_z: weight of the norm of a code.
        optimizer: "adam" or "sgd".
    """

    def __init__(self, steps: int, learning_rate: float, lambda_z: float = 0.0, optimizer: str = "adam"):
        self.steps, self.learning_rate, self.lambda_z = steps, learning_rate, lambda_z
        self.optimizer = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD

    def fit(
        self,
        model: ModulatedModel,
        objective: Objective,
        observations: Observations,
        start: Tensor,
        prior: Prior | None = None,
    ) -> Fit:
        with frozen(model):
            return self._fit(partial(objective.loss, model, observations), start)

    def _fit(self, loss: Callable[[Tensor], Tensor], start: Tensor) -> Fit:
        codes = start.detach().clone().requires_grad_()
        optimizer = self.optimizer([codes], lr=self.learning_rate)
        trace = []
        for step in range(self.steps):
            optimizer.param_groups[0]["lr"] = self.learning_rate * (1 + math.cos(math.pi * step / self.steps)) / 2
            with torch.enable_grad():
                losses = loss(codes)
                norms = torch.linalg.vector_norm(codes, dim=-1)
                (codes.grad,) = torch.autograd.grad((losses + self.lambda_z * norms).sum(), codes)
            optimizer.step()
            trace.append(losses.detach())
        with torch.no_grad():
            trace.append(loss(codes))
        return Fit(codes.detach(), torch.stack(trace))
