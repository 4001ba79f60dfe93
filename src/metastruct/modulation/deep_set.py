"""A set of observations as the mean of what a net makes of each of them.

    z = rho(mean_i phi(x_i, dx_i/dt, u_i))

The order of the observations does not matter, and there may be any number of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.modulation.encoder import Encoder
from metastruct.nets.mlp import MLP


class DeepSet(Encoder):
    """Zaheer et al. 2017, as the encoder of a conditional neural process (Garnelo et al. 2018).

    Args:
        states, inputs: how many components they have.
        parameters: not looked at.
        code_dim: numbers of a code.
        width, depth: of both nets; phi ends with as many numbers as it is wide.
    """

    def __init__(self, states: int, inputs: int, parameters: int, code_dim: int, width: int, depth: int):
        super().__init__()
        self.point = MLP(2 * states + inputs, width, potential=False, width=width, depth=depth)
        self.set = MLP(width, code_dim, potential=False, width=width, depth=depth)

    def forward(
        self, x: Tensor, dxdt: Tensor, inputs: Tensor | None, parameters: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        parts = [x, dxdt] if inputs is None else [x, dxdt, inputs]
        features = self.point(torch.cat(parts, dim=-1), {})
        if mask is None:
            mean = features.mean(-2, keepdim=True)
        else:
            weights = mask[..., None].to(features)
            mean = (features * weights).sum(-2, keepdim=True) / weights.sum(-2, keepdim=True)
        codes: Tensor = self.set(mean, {}).squeeze(-2)
        return codes
