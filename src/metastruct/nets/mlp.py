"""Multi-layer perceptron with sites and an explicit gradient.

    h_0 = x,  h_l = act(W_l h_{l-1} + b_l),  net = W_out h_L (+ b_out)

Every W_l and b_l stands for its updated form. The gradient is in `sweep`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from metastruct.nets.activation import ACTIVATIONS
from metastruct.nets.net import Net
from metastruct.nets.product import by_task, to_rows
from metastruct.nets.site import PLAIN, Site, Updates
from metastruct.nets.sweep import Layer, gradient, gradient_composite


class MLP(Net):
    """Fully connected net of `depth` hidden layers of `width` units.

    Args:
        width: units of a hidden layer.
        depth: number of hidden layers, at least 1.
        activation: one of silu, tanh, sine, softplus.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int = 1,
        potential: bool = True,
        width: int = 64,
        depth: int = 3,
        activation: str = "silu",
    ):
        super().__init__(in_features, out_features, potential)
        if width < 1 or depth < 1:
            raise ValueError(f"an MLP needs width >= 1 and depth >= 1, got width {width} and depth {depth}")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        self.activation = ACTIVATIONS[activation]
        self.sites = [
            Site("input", "input", width, in_features),
            *(Site(f"hidden{i}", "hidden", width, width) for i in range(1, depth)),
            Site("output", "output", out_features, width, bias=not potential),
        ]
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for site in self.sites:
            bound = 1 / math.sqrt(site.in_features)
            self.weights[site.name] = nn.Parameter(
                torch.empty(site.out_features, site.in_features).uniform_(-bound, bound)
            )
            if site.bias:
                self.biases[site.name] = nn.Parameter(torch.empty(site.out_features).uniform_(-bound, bound))

    def _layer(self, site: Site, updates: Updates) -> Layer:
        bias = self.biases[site.name] if site.bias else None
        return Layer(self.weights[site.name], bias, updates.get(site.name, PLAIN))

    def forward(self, x: Tensor, updates: Updates) -> Tensor:
        h = to_rows(x)
        for site in self.sites[:-1]:
            h = self.activation.keep(self._layer(site, updates).up(h)[0])[0]
        return by_task(self._layer(self.sites[-1], updates).up(h)[0], x.shape[-3])

    def gradient(self, x: Tensor, updates: Updates) -> Tensor:
        output = self._layer(self.sites[-1], updates)
        ones = x.new_ones(*x.shape[:-3], x.shape[-3] * x.shape[-2] if self.sites[-1].name in updates else 1, 1)
        layers = [self._layer(site, updates) for site in self.sites[:-1]]
        sweep = gradient_composite if self.twice else gradient
        return by_task(sweep(to_rows(x), output.down(ones)[0], layers, self.activation), x.shape[-3])
