"""Unstructured dynamics: dx/dt = net(x, u), the black-box control that keeps no law."""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.dynamics.dynamics import Dynamics, MakeNet
from metastruct.nets.net import Net
from metastruct.nets.site import Updates, under


class Unstructured(Dynamics):
    """f(x, u) = derivative_std * net((x - mean)/std, (u - mean)/std), a plain net with as many outputs as states."""

    takes_inputs = True

    def make_nets(self, net: MakeNet, state_dim: int) -> dict[str, Net]:
        return {"field": net(state_dim + self.inputs, state_dim, False)}

    def vector_field(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> Tensor:
        y = self.standardise(x)
        if self.inputs:
            y = torch.cat([y, (self.checked(inputs) - self.input_mean) / self.input_std], dim=-1)
        return self.derivative_std * self.nets["field"](y, under(updates, "field"))
