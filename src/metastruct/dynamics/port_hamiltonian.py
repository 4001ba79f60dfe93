"""Port-Hamiltonian dynamics: energy that is stored, moved, lost and supplied (van der Schaft and Jeltsema 2014).

    dx/dt = (J - R(x)) grad H(x) + G(x) u,   J = -J^T,   R = N N^T >= 0
    dH/dt = -grad H^T R grad H + y^T u,   y = G^T grad H

so the stored energy never rises by more than what the inputs put in, whatever the weights and the codes are. With
canonical J and p = M v it is mechanics in momenta; with a constant J, such as of a circuit, any network of stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from metastruct.data.units import Units
from metastruct.dynamics.dynamics import MakeNet, Scales
from metastruct.dynamics.hamiltonian import Hamiltonian
from metastruct.dynamics.ports import Ports
from metastruct.dynamics.triangular import Triangular, times
from metastruct.nets.site import Updates, under


class PortHamiltonian(Ports):
    """f(x, u) = (J - R) grad H + G u, for what stores energy and is seen with the states of its stores.

    H = c net(y), y = (x - mean)/std; J is of rate one a pair where it is canonical, else its entries are learned.

    Args:
        skew: "canonical" for states (q, p), or "constant" J.
        friction: "none", "constant" N, or "state" N(x).
        drive: "constant" G, or "state" G(x); idle where there are no inputs.
        shared: of storage, skew, friction and drive those whose sites have that word as their tag: they are shared
            by all tasks unless the modulation takes the tag.

    Raises:
        ValueError: J is canonical and the state has no even size.
    """

    scalar = "storage"
    constant = {"skew": "constant", "friction": "constant", "drive": "constant"}
    energy_scale: Tensor  # c
    rate: Tensor  # of the data, at which J and R of order one move states
    poisson: Tensor  # J between gradients and rates in units of spread one, where it is canonical
    pairs: Tensor  # [numbers, state * state], where each number of a learned J stands

    def __init__(
        self,
        net: MakeNet,
        scales: Scales,
        skew: str = "canonical",
        friction: str = "constant",
        drive: str = "constant",
        shared: Sequence[str] = (),
    ):
        size = len(scales.state_mean)
        if skew == "canonical" and size % 2:
            raise ValueError(
                "port-Hamiltonian dynamics with dynamics.skew=canonical needs a state (q, p) of even size, "
                f"got {size}; use dynamics.skew=constant"
            )
        factor = Triangular(size)
        self.rows = self.features = size
        self.entries = {"friction": factor.entries}
        forms = {"friction": friction, "drive": drive}
        if skew == "constant":
            forms, self.entries["skew"] = {"skew": skew, **forms}, size * (size - 1) // 2
        super().__init__(net, scales, forms, shared)
        self.factor = factor
        rates = scales.derivative_std / scales.state_std
        self.register_buffer("rate", rates.log().mean().exp())
        if skew == "canonical":
            n = size // 2
            natural = scales.derivative_std.roll(n) * scales.state_std
            self.register_buffer("energy_scale", natural.log().mean().exp())
            signs = torch.ones(size).index_fill(0, torch.arange(n), -1.0)
            poisson = (torch.eye(size).roll(n, 0) * signs[:, None]).to(natural)
            spread = scales.state_std
            self.register_buffer("poisson", self.energy_scale / spread[:, None] * poisson / spread)
        else:
            self.register_buffer("energy_scale", self.rate.clone())
            row, column = torch.tril_indices(size, size, -1)
            pairs = torch.zeros(len(row), size * size)
            pairs[torch.arange(len(row)), row * size + column] = 1.0
            self.register_buffer("pairs", pairs)

    @classmethod
    def paired(cls, **settings: Any) -> bool:
        canonical: bool = settings.get("skew", "canonical") == "canonical"
        return canonical

    @classmethod
    def commensurate(cls, units: Units, **settings: Any) -> Units:
        """No input stays no input; canonical pairs have the unit of one action."""
        units = super().commensurate(units)
        if settings.get("skew", "canonical") != "canonical":
            return units
        return replace(units, spread=Hamiltonian.of_one_action(units.spread))

    def vector_field(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> Tensor:
        y = self.standardise(x)
        slope = self._slope(y, updates)
        if "skew" in self.forms:
            lower = (self.numbers("skew", y, updates).value @ self.pairs).unflatten(-1, (self.rows, self.rows))
            moved = self.rate * times(lower - lower.mT, slope)
        else:
            moved = slope @ self.poisson
        if "friction" in self.nets:
            factor = self._factor(y, updates)
            moved = moved - self.rate * times(factor, times(factor.mT, slope))
        field = self.state_std * moved
        if self.inputs:
            field = field + self.derivative_std * self.driven(y, updates, inputs)
        return field

    def energy(self, x: Tensor, updates: Updates) -> Tensor:
        net = self.net_of("storage")
        return self.energy_scale * net(self.standardise(x), under(updates, "storage")).squeeze(-1)

    def powers(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y = self.standardise(x)
        slope = self._slope(y, updates)
        dissipated = supplied = torch.zeros_like(slope[..., 0])
        if "friction" in self.nets:
            dissipated = self.rate * times(self._factor(y, updates).mT, slope).square().sum(-1)
        if self.inputs:
            outputs = slope * self.derivative_std / self.state_std
            supplied = (outputs * self.driven(y, updates, inputs)).sum(-1)
        return self.energy_scale * dissipated, self.energy_scale * supplied

    def _slope(self, y: Tensor, updates: Updates) -> Tensor:
        """grad H over c, in units of spread one."""
        return self.net_of("storage").gradient(y, under(updates, "storage"))

    def _factor(self, y: Tensor, updates: Updates) -> Tensor:
        matrix: Tensor = self.factor(self.numbers("friction", y, updates).value)
        return matrix
