"""Multi-layer perceptron with sites, and the formula of its gradient.

    z_l = W_l h_{l-1} + b_l,  h_l = a(z_l),  h_0 = x,  net = W_out h_L (+ b_out)                            l = 1..L
    d net / dx = W_1^T a'(z_1) ... W_L^T a'(z_L) W_out^T                            (a'(z) as a diagonal matrix)

Every W_l and b_l stands for its updated form.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from metastruct.nets.activation import ACTIVATIONS
from metastruct.nets.net import Linearised, Net
from metastruct.nets.product import by_task, plus_offset, to_rows
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
        """W h + b under the update of a site, for rows h."""
        update = updates.get(site.name, PLAIN)
        offset = update.offset(self.biases[site.name] if site.bias else None)
        return plus_offset(update.linear(h, self.weights[site.name]), offset)

    def _hidden(self, x: Tensor, updates: Updates) -> tuple[Tensor, list[Tensor]]:
        """h_L as rows, and the slopes a'(z_l) of all hidden layers."""
        h, slopes = to_rows(x), list[Tensor]()
        for site in self.sites[:-1]:
            h, slope = self.activation(self._affine(site, h, updates))
            slopes.append(slope)
        return h, slopes

    def _back(self, g: Tensor, slopes: list[Tensor], updates: Updates) -> Tensor:
        """From cotangents of the output to those of the input, both rows."""
        *hidden, output = self.sites
        g = updates.get(output.name, PLAIN).transpose(g, self.weights[output.name])
        for site, slope in zip(reversed(hidden), reversed(slopes), strict=True):
            g = updates.get(site.name, PLAIN).transpose(slope * g, self.weights[site.name])
        return g

    def forward(self, x: Tensor, updates: Updates) -> Tensor:
        h, _ = self._hidden(x, updates)
        return by_task(self._affine(self.sites[-1], h, updates), x.shape[-3])

    def gradient(self, x: Tensor, updates: Updates) -> Tensor:
        h, slopes = self._hidden(x, updates)
        rows = h.shape[-2] if self.sites[-1].name in updates else 1
        return by_task(self._back(x.new_ones(*x.shape[:-3], rows, 1), slopes, updates), x.shape[-3])

    def linearised(self, x: Tensor, updates: Updates) -> Linearised:
        """At x `[tasks, points, inputs]`."""
        (h, slopes), tasks = self._hidden(x, updates), x.shape[-3]
        *hidden, output = self.sites

        def along(t: Tensor) -> Tensor:
            t = to_rows(t)
            for site, slope in zip(hidden, slopes, strict=True):
                t = slope * updates.get(site.name, PLAIN).linear(t, self.weights[site.name])
            return by_task(updates.get(output.name, PLAIN).linear(t, self.weights[output.name]), tasks)

        def back(g: Tensor) -> Tensor:
            return by_task(self._back(to_rows(g), slopes, updates), tasks)

        return Linearised(by_task(self._affine(output, h, updates), tasks), along, back)
