"""Neural metriplectic system: brackets that depend on the state (Gruber et al. 2025, "Efficiently parameterized neural
metriplectic systems").

    L = P_S (A - A^T) P_S,   M = P_E B K K^T B^T P_E,   P_v = I - v v^T/|v|^2,  P_S and P_E of grad S and grad E

with A(x), B(x), K(x) the outputs of one plain net. No epsilon stands beside |v|^2: it would break the degeneracy to
the size of epsilon.

A training starts at an equilibrium, grad E = T grad S, with L the skew part of the linear law nearest to the data.
Where E starts with a slope across grad S, A can fit the data by changing its sign from state to state, on a surface
where L vanishes; E then rises on one side of it and falls on the other, and the training stays there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from metastruct.dynamics.brackets.bracket import Bracket
from metastruct.nets.net import MakeNet, Net
from metastruct.nets.site import Updates


class NMS(Bracket):
    """A, B `[state, r]` and K `[r, r]` as functions of the state; holds every L and every M of rank r.

    Args:
        net: makes the net of A, B and K.
        state_dim: size n of the state, at least 3: a projected skew matrix of two components is zero.
        rank: r.
        friction: size of M beside L, at initialisation.
        tilt: tangent of the angle between grad E and grad S at the start of a training.

    Raises:
        ValueError: the state is too small for an L that is not zero.
    """

    net: Net

    def __init__(self, net: MakeNet, state_dim: int, rank: int, friction: float, tilt: float = 0.0):
        super().__init__(state_dim)
        if state_dim < 3 or rank < 1:
            raise ValueError(
                f"bracket=nms needs a state of at least 3 components and rank >= 1, got {state_dim} and {rank}"
            )
        self.rank, self.scale, self.tilt = rank, friction, tilt
        self.sizes = [self.pairs.shape[1], state_dim * rank, rank * rank]
        self.net = net(state_dim, sum(self.sizes), False)
        self.sites = [replace(site, tag="bracket") for site in self.net.sites]

    def start(self, by_entropy: Tensor, turning: Tensor) -> None:
        """The bias of the net: A that of L, B at random and K the identity, all of order one."""
        net: Any = self.net
        a = projected(projected(turning, by_entropy).mT, by_entropy).mT[tuple(self.pairs)]
        b = torch.randn(len(by_entropy), self.rank)
        parts = a / a.square().mean().sqrt(), b / (self.rank * b.square().mean()).sqrt(), torch.eye(self.rank)
        if a.any():
            with torch.no_grad():
                net.biases[net.sites[-1].name].copy_(torch.cat([part.flatten() for part in parts]))

    def parameters_of(self, name: str) -> tuple[Tensor, Tensor | None]:
        owner, _, inner = name.rpartition(".")
        net: Any = self.net.get_submodule(owner)
        return net.weights[inner], net.biases[inner]

    def _parts(self, y: Tensor, updates: Updates) -> tuple[Tensor, Tensor, Tensor]:
        """A - A^T over pairs, B and K at the states y."""
        a, b, k = self.net(y, updates).split(self.sizes, dim=-1)
        return a, b.unflatten(-1, (-1, self.rank)), k.unflatten(-1, (-1, self.rank))

    def field(self, y: Tensor, by_energy: Tensor, by_entropy: Tensor, updates: Updates) -> Tensor:
        a, b, k = self._parts(y, updates)
        reversible = projected(self.contract(a, projected(by_energy, by_entropy)), by_entropy)
        rates = projected(by_entropy, by_energy)[..., None, :] @ b @ k
        forces = self.scale * (rates @ k.mT @ b.mT).squeeze(-2)
        return reversible + projected(forces, by_energy)

    def poisson(self, y: Tensor, by_entropy: Tensor, updates: Updates) -> Tensor:
        a, _, _ = self._parts(y, updates)
        v, identity = by_entropy[..., None, :], torch.eye(y.shape[-1], dtype=y.dtype, device=y.device)
        rows = self.contract(a[..., None, :], projected(identity, v))  # row i: A times P's row i, so P A^T
        return -projected(rows, v)

    def friction(self, y: Tensor, by_energy: Tensor, updates: Updates) -> Tensor:
        _, b, k = self._parts(y, updates)
        half = projected((b @ k).mT, by_energy[..., None, :])
        return self.scale * half.mT @ half


def projected(a: Tensor, v: Tensor) -> Tensor:
    """P_v a, the part of a that is orthogonal to v, both `[..., state]`."""
    return a - v * ((a * v).sum(-1, keepdim=True) / (v * v).sum(-1, keepdim=True))
