"""A sum of plane waves, net = W_out sin(W x + b); its gradient is left to automatic differentiation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from metastruct.nets.net import Net
from metastruct.nets.product import by_task, plus_offset, to_rows
from metastruct.nets.site import PLAIN, Site, Updates


class Waves(Net):
    """One layer of sines.

    Args:
        width: number of waves, at least 1.
    """

    def __init__(self, in_features: int, out_features: int = 1, potential: bool = True, width: int = 64):
        super().__init__(in_features, out_features, potential)
        if width < 1:
            raise ValueError(f"net.width must be at least 1, got {width}")
        self.sites = [
            Site("waves", "input", width, in_features),
            Site("sum", "output", out_features, width, bias=not potential),
        ]
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()  # by the names of the sites
        for site in self.sites:
            spread = site.in_features**-0.5
            size = site.out_features, site.in_features
            self.weights[site.name] = nn.Parameter(spread * torch.randn(size))
            if site.bias:
                self.biases[site.name] = nn.Parameter(torch.randn(site.out_features))

    def _affine(self, site: Site, h: Tensor, updates: Updates) -> Tensor:
        update = updates.get(site.name, PLAIN)
        offset = update.offset(self.biases[site.name] if site.bias else None)
        return plus_offset(update.linear(h, self.weights[site.name]), offset)

    def forward(self, x: Tensor, updates: Updates) -> Tensor:
        first, last = self.sites
        h = torch.sin(self._affine(first, to_rows(x), updates))
        return by_task(self._affine(last, h, updates), x.shape[-3])
