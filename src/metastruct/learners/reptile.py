"""Reptile: the base weights move towards the weights that descent on single tasks ends with.

z_k = K steps of an optimizer on L_k(base + z) from z = 0, each on a fresh draw;  base += e * mean over tasks of z_k
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from metastruct.data.observations import Observations
from metastruct.learners.initialisation import Initialisation
from metastruct.recording.recorded import Recorded

BETA2, EPSILON = 0.999, 1e-8  # of Adam


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
        tasks, points = batch.tasks.to(self.device), batch.points.to(self.device)
        drawn = self.observed(tasks, points)
        codes = self.codes.new_zeros(*tasks.shape, self.model.code_dim)
        squares = torch.zeros_like(codes)
        corrections = 1 - BETA2 ** torch.arange(1, len(points) + 1, dtype=torch.float64)
        for number, correction in enumerate(corrections.sqrt().to(codes)):
            parts = (getattr(drawn, name)[number] for name in self.widths)
            loss, codes, squares = self.recordings["inner"](codes, squares, correction, *parts)
        return codes, loss

    def _inner(self, codes: Tensor, squares: Tensor, correction: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        """The mean loss `[...]` on one draw, then codes and mean squares after a step of Adam (or of descent) on it.

        Args:
            correction: what the root of the mean squares is divided by, for they began at zero.
            parts: of the observations.
        """
        with torch.enable_grad():
            codes = codes.detach().requires_grad_()
            losses = self.loss_of(Observations(**dict(zip(self.widths, parts, strict=True))), codes)
            (gradient,) = torch.autograd.grad(losses.sum(), codes)
        codes, loss = codes.detach(), losses.detach().mean(-1)
        if self.inner_optimizer == "sgd":
            return loss, codes - self.inner_rate * gradient, squares
        squares = torch.addcmul(BETA2 * squares, gradient, gradient, value=1 - BETA2)
        return (
            loss,
            torch.addcdiv(codes, gradient, squares.sqrt() / correction + EPSILON, value=-self.inner_rate),
            squares,
        )

    def outer_losses(self, *draws: Observations) -> Tensor:
        raise NotImplementedError("Reptile descends on no loss")
