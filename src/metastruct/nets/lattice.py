"""Translation-invariant energies: the same small nets at every site of a grid.

    H(u) = sum_x f(u_x) + g(D u_x, D u_{x+1}, ...),   D u = (u_{x+1} - u_x)/spacing along each axis
    dH/du = f'(u) + sum_s D^T dg/d(D u_{x+s})

The form of Ginzburg and Landau, values and slopes apart; or one density h(u_x, D u_x, ...) of both together, which
with a reach of two is any h(u_{x-1}, u_x, u_{x+1}). Nets are fed with differences: of a smooth field they are small
beside the values, and what bends a field would drown in them. The sum over sites is that over a volume in units of the
volume of a cell, so dH/du is the functional derivative. The weights know no number of sites: what was learned on some
goes on with others of the same spacing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from metastruct.nets.mlp import MLP
from metastruct.nets.net import Net
from metastruct.nets.site import Updates, under
from metastruct.nets.stencil import Grid

TERMS = ("apart", "together")


class Lattice(Net):
    """An energy density of MLPs, summed over a grid; their sites are modulated, so a code changes all places alike.

    Args:
        components: fields of a state, which holds one after the other.
        shape: sites along each axis; None: all on one line.
        spacing: distance of neighbours.
        ends: "periodic", or "fixed" to zero.
        reach: differences of each field along each axis that the density sees, at least 1.
        terms: "apart", f + g, or "together", h.
        mlp: as of `MLP`.

    Raises:
        ValueError: it is no potential, or the state is not of that size.

    Source: Matsubara, Ishikawa and Yaguchi (2020), Deep energy-based modeling of discrete-time physics.
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
        terms: str = "apart",
        **mlp: Any,
    ):
        super().__init__(in_features, out_features, potential)
        if out_features != 1 or not potential:
            raise ValueError(
                f"net=lattice is a scalar potential, got {out_features} outputs; use another net for what has no energy"
            )
        if reach < 1 or terms not in TERMS:
            raise ValueError(
                f"net.reach must be at least 1 and net.terms one of {', '.join(TERMS)}, got {reach}, {terms}"
            )
        self.reach = reach
        self.grid = Grid.of(in_features, components, shape, spacing, ends)
        slopes = components * reach * len(self.grid.shape)
        self.inputs = (
            {"density": components + slopes} if terms == "together" else {"value": components, "slope": slopes}
        )
        self.parts = nn.ModuleDict({name: MLP(size, 1, True, **mlp) for name, size in self.inputs.items()})
        self.sites = [site.prefixed(f"parts.{name}") for name, part in self.parts.items() for site in part.sites]  # type: ignore[union-attr]

    @classmethod
    def alike(cls, size: int, components: int = 1, **settings: Any) -> list[list[int]]:
        """All sites of a field."""
        sites = size // max(1, components)
        return [[*range(first, first + sites)] for first in range(0, size, max(1, sites))]

    def _terms(self, x: Tensor, updates: Updates) -> Iterator[tuple[Net, Tensor, Updates]]:
        """Each net, what it sees and its updates."""
        for (name, part), rows in zip(self.parts.items(), self._seen(x), strict=True):
            assert isinstance(part, Net)
            yield part, rows, under(updates, f"parts.{name}")

    def forward(self, x: Tensor, updates: Updates) -> Tensor:
        first, *more = (part(rows, changes) for part, rows, changes in self._terms(x, updates))
        return sum(more, first).unflatten(-2, (x.shape[-2], -1)).sum(-2)

    def gradient(self, x: Tensor, updates: Updates) -> Tensor:
        slopes = [part.gradient(rows, changes) for part, rows, changes in self._terms(x, updates)]
        return self._back(slopes, x.shape[-2])

    def _seen(self, x: Tensor) -> Sequence[Tensor]:
        """What each net sees at each site, `[..., tasks, points * sites, features]`."""
        u = self.grid.ring(self.grid.fields(x), self.reach)
        fields = [u]
        for axis in self.grid.axes:
            slope = self.grid.forward(u, axis)
            fields += [slope, *(slope.roll(-shift, axis) for shift in range(1, self.reach))]
        columns = torch.cat(fields, -1 - len(self.grid.shape)).flatten(-len(self.grid.shape))
        rows = columns.transpose(-2, -1).flatten(-3, -2)
        return rows.split([*self.inputs.values()], dim=-1)

    def _back(self, gradients: Sequence[Tensor], points: int) -> Tensor:
        """The transpose of `_seen`, from the gradients of the nets at each site to that of states."""
        shape = self.grid.shape
        ring = shape if self.grid.ends == "periodic" else tuple(sites + self.reach for sites in shape)
        rows = torch.cat([*gradients], -1).unflatten(-2, (points, -1))
        fields = iter(rows.transpose(-2, -1).unflatten(-1, ring).split(self.grid.components, -1 - len(shape)))
        total = next(fields)
        for axis in self.grid.axes:
            slope = next(fields)
            for shift in range(1, self.reach):
                slope = slope + next(fields).roll(shift, axis)
            total = total + self.grid.backward(slope, axis)
        return self.grid.states(self.grid.inside(total))
