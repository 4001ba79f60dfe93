"""f_hyper(z; phi): one map from the code of a task to everything that modulates every site."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Hypernetwork(nn.Module):
    """Affine map of the code, or an MLP with one tanh layer where `hidden` > 0.

    Args:
        code_dim: size of a code.
        scales: `[generated]`, spread of each generated number when the entries of a code have spread one.
        offsets: `[generated]`, what a zero code generates.
        hidden: width of the hidden layer; 0 is the linear hyper-network.
    """

    def __init__(self, code_dim: int, scales: Tensor, offsets: Tensor, hidden: int = 0):
        super().__init__()
        fan_in = hidden or code_dim
        if hidden:
            self.hidden_weight = nn.Parameter(torch.randn(hidden, code_dim) / math.sqrt(code_dim))
            self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.hidden = hidden
        self.weight = nn.Parameter(torch.randn(len(scales), fan_in) * scales[:, None] / math.sqrt(fan_in))
        self.bias = nn.Parameter(offsets.clone())

    def forward(self, codes: Tensor) -> Tensor:
        """codes `[..., tasks, code]` -> `[..., tasks, generated]`."""
        if self.hidden:
            codes = torch.tanh(codes @ self.hidden_weight.mT + self.hidden_bias[..., None, :])
        return codes @ self.weight.mT + self.bias[..., None, :]
