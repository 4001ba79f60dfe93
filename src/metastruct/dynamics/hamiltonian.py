"""Hamiltonian dynamics: dq/dt = dH/dp, dp/dt = -dH/dq with one scalar net H (Greydanus et al. 2019)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metastruct.data.trajectory import Array
from metastruct.data.units import Units
from metastruct.dynamics.dynamics import Dynamics, MakeNet, Scales
from metastruct.nets.net import Net
from metastruct.nets.site import Updates, under


class Hamiltonian(Dynamics):
    """f(x) = J grad H(x), J = [[0, 1], [-1, 0]], x = (q, p): dH/dt = 0 along the flow, whatever the weights.

    H = c net((x - mean)/std), with c such that a net with gradients of order one has derivatives of the data's order.
    """

    conserves = True
    energy_scale: Tensor
    to_field: Tensor

    def __init__(self, net: MakeNet, scales: Scales):
        super().__init__(net, scales)
        n = len(scales.state_mean) // 2
        natural = scales.derivative_std.roll(n) * scales.state_std  # dq/dt std times p, dp/dt std times q
        self.register_buffer("energy_scale", natural.log().mean().exp())
        poisson = torch.eye(2 * n).roll(n, 0) * torch.ones(2 * n).index_fill(0, torch.arange(n), -1.0)[:, None]
        self.register_buffer("to_field", self.energy_scale / self.state_std[:, None] * poisson.to(natural))

    @classmethod
    def paired(cls, **settings: Any) -> bool:
        return True

    @classmethod
    def commensurate(cls, units: Units, **settings: Any) -> Units:
        """Units of q_i and p_i whose product, that of an action, is the same for all i: such a change is canonical."""
        return replace(units, spread=cls.of_one_action(units.spread))

    @staticmethod
    def of_one_action(spread: Array) -> Array:
        """Spreads `[state]` whose products of a coordinate and its momentum are one number."""
        q, p = np.split(spread, 2) if len(spread) % 2 == 0 else (spread, spread)
        action = (q * p) / (q * p)[0]
        stretch = np.sqrt(np.exp(np.log(action).mean()) / action)
        return np.concatenate([q * stretch, p * stretch])[: len(spread)]

    def make_nets(self, net: MakeNet, state_dim: int) -> dict[str, Net]:
        if state_dim % 2:
            raise ValueError(f"Hamiltonian dynamics needs a state (q, p) of even size, got {state_dim}")
        return {"hamiltonian": net(state_dim, 1, True)}

    @property
    def energy_slopes(self) -> Tensor:
        """dH/dq drives dp/dt and dH/dp drives dq/dt."""
        return self.derivative_std.roll(len(self.derivative_std) // 2)

    @property
    def potential(self) -> Net:
        """The net H."""
        net = self.nets["hamiltonian"]
        assert isinstance(net, Net)
        return net

    def vector_field(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> Tensor:
        gradient = self.potential.gradient(self.standardise(x), under(updates, "hamiltonian"))
        return gradient @ self.to_field

    def energy(self, x: Tensor, updates: Updates) -> Tensor:
        return self.energy_scale * self.potential(self.standardise(x), under(updates, "hamiltonian")).squeeze(-1)
