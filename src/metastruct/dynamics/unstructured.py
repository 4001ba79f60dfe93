"""Unstructured dynamics: dx/dt = net(x), the black-box control that keeps no law."""

from __future__ import annotations

from torch import Tensor

from metastruct.dynamics.dynamics import Dynamics, MakeNet
from metastruct.nets.net import Net
from metastruct.nets.site import Updates, under


class Unstructured(Dynamics):
    """f(x) = derivative_std * net((x - mean)/std), a plain net with as many outputs as states."""

    def make_nets(self, net: MakeNet, state_dim: int) -> dict[str, Net]:
        return {"field": net(state_dim, state_dim, False)}

    def vector_field(self, x: Tensor, updates: Updates) -> Tensor:
        return self.derivative_std * self.nets["field"](self.standardise(x), under(updates, "field"))
