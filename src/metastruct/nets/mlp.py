"""Multi-layer perceptron with sites and an explicit gradient.

    z_1 = W_1 x + b_1,  z_l = W_l a_{l-1} + b_l,  a_l = act(z_l),  net = W_out a_L (+ b_out)
    g_L = act'(z_L) W_out^T,  g_{l-1} = act'(z_{l-1}) (W_l^T g_l),  d net/dx = W_1^T g_1

Every W_l and b_l above stands for its updated form. The explicit backward sweep replaces a nested autograd pass.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from metastruct.nets.activation import ACTIVATIONS
from metastruct.nets.net import Net
from metastruct.nets.site import PLAIN, Site, Updates


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

    def _affine(self, site: Site, h: Tensor, updates: Updates) -> Tensor:
        bias = self.biases[site.name] if site.bias else None
        return updates.get(site.name, PLAIN).apply(h, self.weights[site.name], bias)

    def forward(self, x: Tensor, updates: Updates) -> Tensor:
        h = x
        for site in self.sites[:-1]:
            h = self.activation.value(self._affine(site, h, updates))
        return self._affine(self.sites[-1], h, updates)

    def gradient(self, x: Tensor, updates: Updates) -> Tensor:
        *layers, output = self.sites
        h, slopes = x, []
        for site in layers:
            h, slope = self.activation.jet(self._affine(site, h, updates))
            slopes.append(slope)
        weight = self.weights[output.name]
        if output.name in updates:
            back = updates[output.name].transpose(torch.ones_like(h[..., :1]), weight)
        else:
            back = weight[..., None, :, :]
        for site, slope in zip(reversed(layers), reversed(slopes), strict=True):
            back = updates.get(site.name, PLAIN).transpose(slope * back, self.weights[site.name])
        return back
