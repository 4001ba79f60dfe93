"""GENERIC dynamics: dx/dt = L grad E + M grad S with nets for E and S and a bracket for L and M.

The bracket keeps both degeneracies, so dE/dt = 0 and dS/dt >= 0 whatever the weights and the codes are. Both potentials
are modulated; the bracket is shared by all tasks unless the modulation takes the tag "bracket". E -> b E and S -> S/b
with a constant bracket leave L grad E alone and scale M grad S by b: E and S are known up to that only.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from metastruct.dynamics.brackets.bracket import Bracket
from metastruct.dynamics.dynamics import Dynamics, Scales
from metastruct.nets.net import MakeNet, Net
from metastruct.nets.site import Site, Updates, under


class Generic(Dynamics):
    """f(x) = L grad E + M grad S, for metriplectic systems.

    E = net(y) + e.y and S likewise, y = (x - mean)/std. The linear part is trained with the base; it starts as a unit
    vector, so that neither gradient is near zero, where both brackets are flat and a projection on it is not defined.
    That of S starts along the mean derivative of the data, for entropy only rises, and that of E along that of S, as in
    equilibrium, where grad E = T grad S with T > 0, tilted as much as the bracket needs: L grad E changes its sign when
    E and S change places, and T with that of L, so that a start where they are wrong can be left only through a
    gradient of zero.
    The bracket acts in the coordinates x/D, D_i^2 = std(x_i) std(dx_i/dt): components of very different rates then all
    start with derivatives of the data's order.

    Args:
        bracket: makes the bracket from (net, state_dim).
    """

    conserves = True
    dissipates = True
    gain: Tensor
    lever: Tensor

    def __init__(self, net: MakeNet, scales: Scales, bracket: Callable[[MakeNet, int], Bracket]):
        super().__init__(net, scales)
        size = len(scales.state_mean)
        self.bracket = bracket(net, size)
        rates = scales.derivative_std / scales.state_std
        rate = rates.log().mean().exp()
        self.register_buffer("lever", (rates / rate).sqrt())  # D/std
        self.register_buffer("gain", rate * self.lever * scales.state_std)
        self.slopes = nn.ParameterDict(self._first_slopes(scales))
        if scales.linear is not None:
            spread = self.lever * scales.state_std
            linear = (scales.linear * spread / self.gain[:, None]).to(torch.get_default_dtype())
            self.bracket.start(self.slopes["entropy"].detach() * self.lever.to(linear), (linear - linear.mT) / 2)

    def _first_slopes(self, scales: Scales) -> dict[str, nn.Parameter]:
        energy, entropy = torch.randn(2, len(scales.state_mean))
        drifts = scales.drift is not None and bool(scales.drift.any())
        if scales.drift is not None and drifts:
            entropy = (scales.drift / scales.derivative_std).to(energy)
        entropy = normalize(entropy, dim=0)
        across = normalize(energy - (energy @ entropy) * entropy, dim=0)
        energy = normalize(entropy + self.bracket.tilt * across, dim=0) if drifts else across
        return {"energy": nn.Parameter(energy), "entropy": nn.Parameter(entropy)}

    def make_nets(self, net: MakeNet, state_dim: int) -> dict[str, Net]:
        return {"energy": net(state_dim, 1, True), "entropy": net(state_dim, 1, True)}

    @property
    def sites(self) -> list[Site]:
        """Those of its nets, then those of its bracket."""
        return [*super().sites, *(site.prefixed("bracket") for site in self.bracket.sites)]

    def parameters_of(self, site: Site) -> tuple[Tensor, Tensor | None]:
        owner, _, name = site.name.partition(".")
        return self.bracket.parameters_of(name) if owner == "bracket" else super().parameters_of(site)

    def _value(self, name: str, x: Tensor, updates: Updates) -> Tensor:
        y = self.standardise(x)
        linear = (y * self.slopes[name][..., None, None, :]).sum(-1)
        return self.nets[name](y, under(updates, name)).squeeze(-1) + linear

    def _gradient(self, name: str, y: Tensor, updates: Updates) -> Tensor:
        """In the coordinates of the bracket."""
        net = self.nets[name]
        assert isinstance(net, Net)
        return (net.gradient(y, under(updates, name)) + self.slopes[name][..., None, None, :]) * self.lever

    def vector_field(self, x: Tensor, updates: Updates, inputs: Tensor | None = None) -> Tensor:
        y = self.standardise(x)
        by_energy, by_entropy = (self._gradient(name, y, updates) for name in ("energy", "entropy"))
        return self.gain * self.bracket.field(y, by_energy, by_entropy, under(updates, "bracket"))

    def energy(self, x: Tensor, updates: Updates) -> Tensor:
        return self._value("energy", x, updates)

    def entropy(self, x: Tensor, updates: Updates) -> Tensor:
        return self._value("entropy", x, updates)

    def poisson(self, x: Tensor, updates: Updates) -> Tensor:
        """L `[..., tasks, points, state, state]` in the system's own coordinates."""
        y = self.standardise(x)
        matrix = self.bracket.poisson(y, self._gradient("entropy", y, updates), under(updates, "bracket"))
        return self._own(matrix)

    def friction(self, x: Tensor, updates: Updates) -> Tensor:
        """M `[..., tasks, points, state, state]` in the system's own coordinates."""
        y = self.standardise(x)
        matrix = self.bracket.friction(y, self._gradient("energy", y, updates), under(updates, "bracket"))
        return self._own(matrix)

    def _own(self, matrix: Tensor) -> Tensor:
        return self.gain[:, None] * matrix * (self.lever * self.state_std)

    def degeneracies(self, x: Tensor, updates: Updates) -> dict[str, Tensor]:
        """|L grad S|/(|L| |grad S|) and |M grad E|/(|M| |grad E|), zero but for round-off, in scaled coordinates."""
        y, bracket_updates = self.standardise(x), under(updates, "bracket")
        by_energy, by_entropy = (self._gradient(name, y, updates) for name in ("energy", "entropy"))
        return {
            "poisson": degeneracy(self.bracket.poisson(y, by_entropy, bracket_updates), by_entropy),
            "friction": degeneracy(self.bracket.friction(y, by_energy, bracket_updates), by_energy),
        }


def degeneracy(matrix: Tensor, gradient: Tensor) -> Tensor:
    """|matrix gradient| over the product of their sizes, `[...]`."""
    product = (matrix @ gradient[..., None]).squeeze(-1)
    return product.norm(dim=-1) / (torch.linalg.matrix_norm(matrix) * gradient.norm(dim=-1))
