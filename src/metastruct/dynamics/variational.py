"""Variational evolution equations: du/dt = K dH/du for fields on a grid, with one operator K.

    advection   K = sum over axes of C, the central difference (u_{x+1} - u_{x-1})/(2 spacing): skew, dH/dt = 0
    decay       K = -1: a gradient flow, dH/dt = -|dH/du|^2                                     (Allen-Cahn)
    diffusion   K = -sum over axes of D^T D: dH/dt = -|D dH/du|^2, and sum u is kept          (Cahn-Hilliard)

All hold for every energy, weight and code, in continuous time and at any resolution. A mobility is a factor of H.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.config.facts import providing
from metastruct.dynamics.dynamics import Dynamics, MakeNet, Scales
from metastruct.nets.lattice import Lattice
from metastruct.nets.net import Net
from metastruct.nets.site import Updates, under

OPERATORS = ("advection", "decay", "diffusion")


class Variational(Dynamics):
    """f(u) = K grad H(u), for fields that are no pairs (q, p).

    H = c net(u/std) with the fields of spread one; K acts on each field of a state, at a rate such that a net with
    gradients of order one has derivatives of the data's order. Between fixed ends C sees zeros outside, and nothing
    flows out by diffusion.

    Args:
        operator: K.

    Raises:
        ValueError: the net is not on a grid, or there is no such operator.

    Source: Matsubara, Ishikawa and Yaguchi (2020), Deep energy-based modeling of discrete-time physics.
    """

    balances = True
    energy_scale: Tensor

    def __init__(self, net: MakeNet, scales: Scales, operator: str = "advection"):
        if operator not in OPERATORS:
            raise ValueError(f"dynamics.operator must be one of {', '.join(OPERATORS)}, got {operator!r}")
        super().__init__(net, scales)
        self.operator, self.conserves = operator, operator == "advection"
        self.grid = self.functional.grid
        self.register_buffer("energy_scale", (scales.derivative_std * scales.state_std).log().mean().exp())

    def make_nets(self, net: MakeNet, state_dim: int) -> dict[str, Net]:
        return {"functional": net(state_dim, 1, True)}

    @property
    def functional(self) -> Lattice:
        """The net H.

        Raises:
            ValueError: it is not on a grid.
        """
        net = self.nets["functional"]
        if not isinstance(net, Lattice):
            raise ValueError(
                f"variational dynamics needs an energy density on a grid, got {type(net).__name__}; "
                f"use {providing('net', 'grid')}"
            )
        return net

    def _slope(self, x: Tensor, updates: Updates) -> Tensor:
        """dH/du in units of spread one."""
        return self.functional.gradient(self.standardise(x), under(updates, "functional"))

    def _moved(self, slope: Tensor) -> Tensor:
        """K of a slope `[..., state]`."""
        if self.operator == "decay":
            return -slope
        fields = self.grid.fields(slope)
        act = self.grid.central if self.conserves else self.grid.laplacian
        first, *more = (act(fields, axis) for axis in self.grid.axes)
        return self.grid.states(sum(more, first))

    def vector_field(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> Tensor:
        return self.derivative_std * self._moved(self._slope(x, updates))

    def energy(self, x: Tensor, updates: Updates) -> Tensor:
        return self.energy_scale * self.functional(self.standardise(x), under(updates, "functional")).squeeze(-1)

    def powers(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> tuple[Tensor, Tensor]:
        slope = self._slope(x, updates)
        rate = self.energy_scale * self.derivative_std / self.state_std
        dissipated = -(rate * slope * self._moved(slope)).sum(-1)
        nothing = torch.zeros_like(dissipated)
        return nothing if self.conserves else dissipated, nothing
