"""A code from the true parameters of a member: what do methods lose that have to find them out?"""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.modulation.encoder import Encoder
from metastruct.nets.mlp import MLP


class Told(Encoder):
    """z = rho(mu), mu standardised over the training tasks.

    Args:
        states, inputs: not looked at.
        parameters: how many numbers mu has.
        code_dim: numbers of a code.
        width, depth: of the net.
    """

    reads = ("parameters",)
    mean: Tensor
    std: Tensor

    def __init__(self, states: int, inputs: int, parameters: int, code_dim: int, width: int, depth: int):
        super().__init__()
        if not parameters:
            raise ValueError("encoder=told needs a family whose members differ in parameters, got none")
        self.set = MLP(parameters, code_dim, potential=False, width=width, depth=depth)
        self.register_buffer("mean", torch.zeros(parameters))
        self.register_buffer("std", torch.ones(parameters))

    def settle(self, parameters: Tensor) -> None:
        self.mean.copy_(parameters.mean(0))
        spread = parameters.std(0, correction=0)
        self.std.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))

    def forward(
        self, x: Tensor, dxdt: Tensor, inputs: Tensor | None, parameters: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        if parameters is None:
            raise ValueError(
                "a model of encoder=told has to be told the parameters of a new member, which cannot be done here; "
                "train with another learner"
            )
        mu = (parameters[..., :1, :] - self.mean) / self.std  # the same at every point
        codes: Tensor = self.set(mu, {}).squeeze(-2)
        return codes
