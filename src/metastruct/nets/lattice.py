"""Translation-invariant energies: one small net at every site of a grid.

    H(u) = sum_x h(u_x, D u_x, D u_{x+1}, ...),   D u = (u_{x+1} - u_x)/spacing along each axis
    dH/du = dh/du + sum_s D^T dh/d(D u_{x+s})

h sees a stencil of `reach` + 1 sites along each axis, so with a reach of two H = sum_x h(u_{x-1}, u_x, u_{x+1}). It is
fed with differences: of a smooth field they are small beside the values, and what bends a field would drown in them.
The sum over sites is that over a volume in units of the volume of a cell, so dH/du is the functional derivative. The
weights know no number of sites: what was learned on some goes on with others of the same spacing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from metastruct.nets.mlp import MLP
from metastruct.nets.net import Net
from metastruct.nets.site import Updates, under
from metastruct.nets.stencil import Grid


class Lattice(Net):
    """Energy density h, an MLP, summed over a grid; sites of h are modulated, so a code changes all places alike.

    Args:
        components: fields of a state, which holds one after the other.
        shape: sites along each axis; None: all on one line.
        spacing: distance of neighbours.
        ends: "periodic", or "fixed" to zero.
        reach: differences of each field along each axis that h sees, at least 1.
        mlp: as of `MLP`.

    Raises:
        ValueError: it is no potential, or the state is not of that size.

    Source: Bar-Sinai et al. (2019), Matsubara et al. (2020), whose discrete energies see such stencils.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int = 1,
        potential: bool = True,
        components: int = 1,
        shape: Sequence[int] | None = None,
        spacing: float = 1.0,
        ends: str = "periodic",
        reach: int = 1,
        **mlp: Any,
    ):
        super().__init__(in_features, out_features, potential)
        if out_features != 1 or not potential:
            raise ValueError(
                f"net=lattice is a scalar potential, got {out_features} outputs; use another net for what has no energy"
            )
        if reach < 1:
            raise ValueError(f"net.reach must be at least 1, got {reach}")
        self.reach = reach
        self.grid = Grid.of(in_features, components, shape, spacing, ends)
        self.density = MLP(components * (1 + reach * len(self.grid.shape)), 1, True, **mlp)
        self.sites = [site.prefixed("density") for site in self.density.sites]

    @classmethod
    def alike(cls, size: int, components: int = 1, **settings: Any) -> list[list[int]]:
        """All sites of a field."""
        sites = size // max(1, components)
        return [[*range(first, first + sites)] for first in range(0, size, max(1, sites))]

    def forward(self, x: Tensor, updates: Updates) -> Tensor:
        points = x.shape[-2]
        energies = self.density(self._seen(x), under(updates, "density"))
        return energies.unflatten(-2, (points, -1)).sum(-2)

    def gradient(self, x: Tensor, updates: Updates) -> Tensor:
        return self._back(self.density.gradient(self._seen(x), under(updates, "density")), x.shape[-2])

    def _seen(self, x: Tensor) -> Tensor:
        """What h sees at each site, `[..., tasks, points * sites, features]`."""
        u = self.grid.ring(self.grid.fields(x), self.reach)
        parts = [u]
        for axis in self.grid.axes:
            slope = self.grid.forward(u, axis)
            parts += [slope, *(slope.roll(-shift, axis) for shift in range(1, self.reach))]
        sites = torch.stack(parts, -1).flatten(-1 - len(self.grid.shape), -2)  # [..., components, sites, parts]
        return sites.transpose(-3, -2).flatten(-2).flatten(-3, -2)

    def _back(self, g: Tensor, points: int) -> Tensor:
        """The transpose of `_seen`, from dh at each site to dH of states."""
        shape = self.grid.shape
        ring = shape if self.grid.ends == "periodic" else tuple(sites + self.reach for sites in shape)
        by_site = g.unflatten(-1, (self.grid.components, -1)).unflatten(-3, (points, -1))
        parts = iter(by_site.transpose(-3, -2).unflatten(-2, ring).unbind(-1))
        total = next(parts)
        for axis in self.grid.axes:
            slope = next(parts)
            for shift in range(1, self.reach):
                slope = slope + next(parts).roll(shift, axis)
            total = total + self.grid.backward(slope, axis)
        return self.grid.states(self.grid.inside(total))
