"""Muon: momentum, orthogonalised (Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks).

For a matrix with gradient G, with all singular values of the step made about one by five Newton-Schulz iterations,

    M <- mu M + G,  X = (G + mu M)/|G + mu M|_F,  X <- a X + (b X X^T + c (X X^T)^2) X,
    W <- W - rate 0.2 sqrt(longer side) X

so that a step is as large as one of Adam, and one rate serves both (Liu et al. 2025, Muon is scalable for LLM training,
equation 4). Adam moves everything else: vectors, thin matrices, codes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from metastruct.optimizers.adam import Adam, FusedAdam
from metastruct.optimizers.optimizer import Group, stacks

COEFFICIENTS = 3.4445, -4.7750, 2.0315  # a, b, c
ITERATIONS = 5
ADAM = 0.2  # root mean square of a step of Adam over its rate


class Muon(Adam):
    """All directions of a matrix move alike, for ten products of its shorter side a step.

    Args:
        momentum: mu.
        shortest: side of a matrix below which Adam moves it: a thin one is no hidden layer.
        adam: as of `Adam`.
    """

    def __init__(self, momentum: float, shortest: int, **adam: float):
        super().__init__(**adam)
        self.momentum, self.shortest = momentum, shortest

    def dense(self, groups: list[Group], replicas: int) -> torch.optim.Optimizer:
        base, *codes = groups
        settings = {"axes": replicas + 2, "momentum": self.momentum, "shortest": self.shortest}
        without = [group | {"axes": None} for group in codes]
        return Orthogonal([base | settings, *without], betas=self.betas, fused=True)


class Orthogonal(FusedAdam):
    """The rule above; in a group, `axes` is as of `Rotated`."""

    def move(self, group: Group, moved: list[Any]) -> None:
        def thick(parameter: nn.Parameter) -> bool:
            return parameter.dim() == group["axes"] and min(parameter.shape[-2:]) >= group["shortest"]

        for alike in stacks([parameter for parameter in moved if thick(parameter)]):
            gradient = torch.stack([parameter.grad for parameter in alike])  # type: ignore[misc]
            state = self.state[alike[0]]
            if not state:
                state |= {"mean": torch.zeros_like(gradient), "step": torch.zeros(())}  # torch's Adam looks for a step
            mean = state["mean"].mul_(group["momentum"]).add_(gradient)
            change = orthogonalised(gradient.add_(mean, alpha=group["momentum"]))
            size = ADAM * max(change.shape[-2:]) ** 0.5
            for parameter, step in zip(alike, change.unbind(0), strict=True):
                parameter.add_(step, alpha=-size * group["lr"])
        if rest := [parameter for parameter in moved if not thick(parameter)]:
            super().move(group, rest)


def orthogonalised(matrix: Tensor) -> Tensor:
    """U V^T of matrices U diag(s) V^T `[..., rows, columns]`, with singular values from 0.7 to 1.2 in the place of one.

    Those that are less than a thousandth of the norm come out smaller.
    """
    a, b, c = COEFFICIENTS
    x = matrix.mT if matrix.shape[-2] > matrix.shape[-1] else matrix
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if matrix.shape[-2] > matrix.shape[-1] else x
