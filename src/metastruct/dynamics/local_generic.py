"""GENERIC with friction that acts where bodies are, in a bath of constant temperature: states (q, p, S).

    E = H(q, p) + T S,   entropy S,   L = J on (q, p),   M = sum_i gamma_i w_i w_i^T,   w_i = (0, T e_i, -dH/dp_i)

so that dq/dt = dH/dp, dp/dt = -dH/dq - T gamma_i dH/dp_i and dS/dt = sum_i gamma_i (dH/dp_i)^2. L grad S = 0, for L
leaves S alone, and M grad E = 0, for w_i . grad E = T dH/dp_i - T dH/dp_i: dE/dt = 0 and dS/dt >= 0, whatever the
weights and codes are. No matrix over pairs of components is formed: a step costs as much as the gradient of H, where
the brackets of `Generic` cost n^2 and more. H and the gamma_i > 0 are modulated; T is shared by all tasks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from metastruct.data.units import Units
from metastruct.dynamics.dynamics import Dynamics, Scales
from metastruct.dynamics.hamiltonian import Hamiltonian
from metastruct.nets.net import MakeNet, Net
from metastruct.nets.numbers import Numbers
from metastruct.nets.site import Updates, under

WEAK = -2.0  # what softplus makes a friction of a tenth of the rate of the data of, where a training starts


class LocalGeneric(Dynamics):
    """f(x) = J grad H with friction on each component of p, whose heat goes to S.

    H = c net((x - mean)/std) on (q, p), with c as of `Hamiltonian`; T gamma_i = r softplus(k_i) std(p_i)^2/c, with r
    the rate of the momenta of the data, and T = c r theta/std(dS/dt).

    Raises:
        ValueError: the state is not (q, p, S).
    """

    conserves = True
    dissipates = True
    energy_scale: Tensor  # c
    rate: Tensor  # r

    def __init__(self, net: MakeNet, scales: Scales):
        super().__init__(net, scales)
        self.pairs = n = len(scales.state_mean) // 2
        states, slopes = scales.state_std[: 2 * n], scales.derivative_std[: 2 * n]
        self.register_buffer("energy_scale", (slopes.roll(n) * states).log().mean().exp())
        self.register_buffer("rate", (slopes[n:] / states[n:]).log().mean().exp())
        self.log_theta = nn.Parameter(torch.zeros(1))

    @classmethod
    def paired(cls, **settings: Any) -> bool:
        return True

    @classmethod
    def commensurate(cls, units: Units, **settings: Any) -> Units:
        """Units of q_i and p_i of one action, as of `Hamiltonian`."""
        *pairs, entropy = units.spread
        return replace(units, spread=np.append(Hamiltonian.of_one_action(np.array(pairs)), entropy))

    def make_nets(self, net: MakeNet, state_dim: int) -> dict[str, Net]:
        if state_dim % 2 == 0 or state_dim < 3:
            raise ValueError(f"dynamics=local_generic needs a state (q, p, S) of odd size, got {state_dim}")
        return {"energy": net(state_dim - 1, 1, True), "friction": Numbers(state_dim // 2, WEAK)}

    def _slope(self, x: Tensor, updates: Updates) -> tuple[Tensor, Tensor]:
        """dH/dq and dH/dp over c, in units of spread one."""
        potential, y = self.nets["energy"], self.standardise(x)[..., :-1]
        assert isinstance(potential, Net)
        by_q, by_p = potential.gradient(y, under(updates, "energy")).chunk(2, dim=-1)
        return by_q, by_p

    def _frictions(self, x: Tensor, updates: Updates) -> Tensor:
        """T gamma_i over r std(p_i)^2/c, `[..., tasks or 1, 1, bodies]`."""
        return softplus(self.nets["friction"](x, under(updates, "friction")))

    def vector_field(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> Tensor:
        by_q, by_p = self._slope(x, updates)
        drag = self._frictions(x, updates) * by_p
        positions, momenta = self.state_std[:-1].chunk(2)
        field = [
            self.energy_scale / momenta * by_p,
            -self.energy_scale / positions * by_q - self.rate * momenta * drag,
            self._heat * (drag * by_p).sum(-1, keepdim=True),
        ]
        return torch.cat(field, dim=-1)

    @property
    def _heat(self) -> Tensor:
        """dS/dt over sum_i softplus(k_i) of a slope one, `[..., 1, 1, 1]`."""
        return self.derivative_std[-1] * (-self.log_theta[..., None, None, :]).exp()

    @property
    def temperature(self) -> Tensor:
        """T, `[..., 1, 1]`."""
        return (self.energy_scale * self.rate / self._heat).squeeze(-1)

    def energy(self, x: Tensor, updates: Updates) -> Tensor:
        mechanical = self.nets["energy"](self.standardise(x)[..., :-1], under(updates, "energy"))
        return self.energy_scale * mechanical.squeeze(-1) + self.temperature * x[..., -1]

    def entropy(self, x: Tensor, updates: Updates) -> Tensor:
        return x[..., -1]

    def poisson(self, x: Tensor, updates: Updates) -> Tensor:
        """L `[..., tasks, points, state, state]`."""
        n, size = self.pairs, x.shape[-1]
        turn = torch.eye(2 * n, dtype=x.dtype, device=x.device).roll(n, 1)
        matrix = torch.zeros(size, size, dtype=x.dtype, device=x.device)
        matrix[:-1, :-1] = turn.triu() - turn.tril()
        return matrix.expand(*x.shape, size)

    def _bodies(self, x: Tensor, updates: Updates) -> tuple[Tensor, Tensor]:
        """gamma_i `[..., tasks or 1, 1, bodies]` and dH/dp_i `[..., tasks, points, bodies]`."""
        momenta = self.state_std[self.pairs : -1]
        drag = self.rate * momenta.square() / self.energy_scale * self._frictions(x, updates)
        return drag / self.temperature[..., None], self.energy_scale / momenta * self._slope(x, updates)[1]

    def friction(self, x: Tensor, updates: Updates) -> Tensor:
        """M `[..., tasks, points, state, state]`."""
        gamma, speeds = self._bodies(x, updates)
        along = torch.diag_embed(self.temperature[..., None].expand_as(speeds))
        rows = torch.cat([torch.zeros_like(along), along, -speeds[..., None]], dim=-1)
        matrix: Tensor = (rows * gamma[..., None]).mT @ rows
        return matrix

    def degeneracies(self, x: Tensor, updates: Updates) -> dict[str, Tensor]:
        """|L grad S|/(|L| |grad S|) and |M grad E|/(|M| |grad E|), zero but for round-off, body by body."""
        gamma, speeds = self._bodies(x, updates)
        temperature = self.temperature[..., None].expand_as(speeds)
        powers = speeds * temperature - temperature * speeds  # w_i . grad E
        lost, heat = gamma * temperature * powers, -(gamma * speeds * powers).sum(-1)
        parts = (gamma * temperature.square()).square() + 2 * (gamma * temperature * speeds).square()
        size = (parts.sum(-1) + (gamma * speeds.square()).sum(-1).square()).sqrt()  # |M|
        forces = self.energy_scale / self.state_std[: self.pairs] * self._slope(x, updates)[0]
        slope = (forces.square() + speeds.square()).sum(-1) + temperature[..., 0].square()
        residual = (lost.square().sum(-1) + heat.square()).sqrt() / (size * slope.sqrt())
        return {"poisson": torch.zeros_like(residual), "friction": residual}
