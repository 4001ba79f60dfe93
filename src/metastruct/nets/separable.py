"""Separable potential H(q, p) = T(p) + V(q), two nets of half the state each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from metastruct.nets.mlp import MLP
from metastruct.nets.net import Net
from metastruct.nets.site import Updates, under


class Separable(Net):
    """T(p) + V(q), two MLPs; for laws whose kinetic energy does not depend on the position.

    Its vector field is (dT/dp, -dV/dq), so that explicit leapfrog is symplectic on it. Arguments as of `MLP`.

    Raises:
        ValueError: the state is not (q, p), or the net is not a potential.
    """

    def __init__(self, in_features: int, out_features: int = 1, potential: bool = True, **mlp: Any):
        super().__init__(in_features, out_features, potential)
        if in_features % 2 or out_features != 1 or not potential:
            raise ValueError(
                "net=separable is a scalar potential of a state (q, p) of even size, "
                f"got {in_features} inputs and {out_features} outputs; use another net"
            )
        self.kinetic = MLP(in_features // 2, 1, True, **mlp)
        self.potential_energy = MLP(in_features // 2, 1, True, **mlp)
        self.sites = [
            *(site.prefixed("kinetic") for site in self.kinetic.sites),
            *(site.prefixed("potential_energy") for site in self.potential_energy.sites),
        ]

    def _halves(self, x: Tensor, updates: Updates) -> tuple[tuple[Tensor, Updates], tuple[Tensor, Updates]]:
        q, p = x.chunk(2, dim=-1)
        return (p, under(updates, "kinetic")), (q, under(updates, "potential_energy"))

    def forward(self, x: Tensor, updates: Updates) -> Tensor:
        kinetic, potential = self._halves(x, updates)
        return self.kinetic(*kinetic) + self.potential_energy(*potential)

    def gradient(self, x: Tensor, updates: Updates) -> Tensor:
        kinetic, potential = self._halves(x, updates)
        return torch.cat([self.potential_energy.gradient(*potential), self.kinetic.gradient(*kinetic)], dim=-1)
