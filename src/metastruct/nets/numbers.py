"""Numbers that no state changes, such as a friction or a feature of each body, as a net with one site.

    net(x) = W 1 + b

The site has the tag "input", so that the usual modulations shift each number by what they generate from a code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from metastruct.nets.net import Net
from metastruct.nets.product import by_task, plus_offset
from metastruct.nets.site import PLAIN, Site, Updates

NAME = "numbers"


class Numbers(Net):
    """So many numbers, the same at all states.

    Args:
        count: of them.
        centre, spread: of their values at initialisation.
    """

    def __init__(self, count: int, centre: float = 0.0, spread: float = 0.5):
        super().__init__(1, count, False)
        self.sites = [Site(NAME, "input", count, 1)]
        self.weights = nn.ParameterDict({NAME: spread * torch.randn(count, 1) / 2})
        self.biases = nn.ParameterDict({NAME: centre + spread * torch.randn(count) / 2})

    def forward(self, x: Tensor, updates: Updates) -> Tensor:
        """`[..., tasks or 1, 1, count]`, one point for all of x `[..., tasks, points, any]`."""
        tasks = x.shape[-3] if NAME in updates else 1
        update, ones = updates.get(NAME, PLAIN), x.new_ones(*x.shape[:-3], tasks, 1)
        values = plus_offset(update.linear(ones, self.weights[NAME]), update.offset(self.biases[NAME]))
        return by_task(values, tasks)
