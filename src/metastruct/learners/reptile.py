"""Reptile: the base weights move towards the weights that descent on single tasks ends with.

z_k = K steps of an optimizer on L_k(base + z) from z = 0, each on a fresh draw;  base += e * mean over tasks of z_k
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from metastruct.data.observations import Observations
from metastruct.learners.initialisation import Initialisation
from metastruct.recording import Recorded


class Reptile(Initialisation):
    """Nichol, Achiam and Schulman 2018, batched; e is the base rate of optimizer=sgd, which falls to zero.

    Args:
        inner_steps: K.
        inner_rate: learning rate of the inner steps.
        inner_optimizer: "adam" without momentum, as the authors have it, or "sgd".
    """

    def __init__(self, inner_steps: int, inner_rate: float, inner_optimizer: str, **frame: Any):
        super().__init__(draws=inner_steps, **frame)
        self.recordings["inner"] = Recorded(self._inner)
        self.inner_rate, self.inner_optimizer = inner_rate, inner_optimizer

    @property
    def evaluations(self) -> int:
        return math.prod(self.batches.shape) * self.objective.window

    def outer_update(self, step: int) -> Tensor:
        codes, loss = self._adapted(step)
        towards = {}
        for site, name, change in self.weights.by_tensor(codes):
            weight, bias = self.model.dynamics.parameters_of(site)
            towards[weight if name == "change" else bias] = -change.mean(codes.dim() - 2).contiguous()
        self.step_along([towards.get(parameter) for parameter in self.trained], step)
        return loss

    def _adapted(self, step: int) -> tuple[Tensor, Tensor]:
        """Codes `[..., tasks, code]` after one inner step on each draw, and the mean loss before the last of them."""
        batch = self.batches[step]
        tasks = batch.tasks.to(self.device)
        codes = self.codes.new_zeros(*tasks.shape, self.model.code_dim).requires_grad_()
        optimizer: Optimizer = torch.optim.SGD([codes], lr=self.inner_rate)
        if self.inner_optimizer == "adam":
            optimizer = torch.optim.Adam([codes], lr=self.inner_rate, betas=(0.0, 0.999))
        for points in batch.points.to(self.device):
            loss, codes.grad = self.recordings["inner"](tasks, points, codes.detach())
            optimizer.step()
        return codes.detach(), loss

    def _inner(self, tasks: Tensor, points: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """The mean loss `[...]`, and the gradient of the codes."""
        losses = self.loss_of(self.observed(tasks, points), codes.requires_grad_())
        (gradient,) = torch.autograd.grad(losses.sum(), codes)
        return losses.detach().mean(-1), gradient.contiguous()

    def outer_losses(self, *draws: Observations) -> Tensor:
        raise NotImplementedError("Reptile descends on no loss")
