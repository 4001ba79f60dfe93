"""GENERIC neural ODE brackets of constant tensors (Lee, Trask, Stinis 2021, "Machine learning structure preserving
brackets for forecasting irreversible processes").

    L_ab = sum_c xi_abc dS/dx_c, xi totally antisymmetric               so that L grad S = 0
    M = V D V^T, V = [Lambda^1 grad E, ..., Lambda^r grad E], Lambda^m skew, D = D~ D~^T   so that M grad E = 0

xi has one free number for each triple a < b < c. With w = grad E ^ grad S, L grad E = sum_{b<c} xi_abc w_bc and
M grad S is minus the skew matrix Lambda^T D Lambda w times grad E: two small maps of w.
"""

from __future__ import annotations

from itertools import permutations
from math import comb, sqrt

import torch
from torch import Tensor, nn

from metastruct.dynamics.brackets.bracket import Bracket
from metastruct.nets.net import MakeNet
from metastruct.nets.product import by_task, to_rows
from metastruct.nets.site import PLAIN, Site, Updates


class GNODE(Bracket):
    """Constant xi, Lambda^m and D~; all that depends on the state are the gradients of E and S.

    Holds systems whose M is quadratic in grad E with constant coefficients, such as friction in a bath.

    Args:
        net: not used: the tensors are constant.
        state_dim: size n of the state, at least 3.
        rank: r, the number of Lambda^m.
        friction: size of M beside L, at initialisation.
        tilt: tangent of the angle between grad E and grad S at the start of a training. At zero, in equilibrium, w
            vanishes, and with it the field and most of its gradient.

    Raises:
        ValueError: the state is too small for an L that is not zero.
    """

    index: Tensor
    sign: Tensor

    def __init__(self, net: MakeNet, state_dim: int, rank: int, friction: float, tilt: float = 1.0):
        super().__init__(state_dim)
        if state_dim < 3 or rank < 1:
            raise ValueError(
                f"bracket=gnode needs a state of at least 3 components and rank >= 1, got {state_dim} and {rank}"
            )
        self.tilt = tilt
        triples, pairs = comb(state_dim, 3), comb(state_dim, 2)
        self.sites = [
            Site("xi", "bracket", triples, 1, bias=False),
            Site("skew", "bracket", rank, pairs, bias=False),
            Site("weight", "bracket", rank, rank, bias=False),
        ]
        xi, skew = torch.randn(triples, 1), torch.randn(rank, pairs)
        self.xi = nn.Parameter(xi / xi.square().mean().sqrt())
        self.skew = nn.Parameter(skew / skew.square().mean().sqrt())
        self.weight = nn.Parameter(sqrt(friction / rank) * torch.eye(rank) + 0.01 * torch.randn(rank, rank))
        index, sign = antisymmetric(state_dim, self.pairs)
        self.register_buffer("index", index)
        self.register_buffer("sign", sign)

    def start(self, by_entropy: Tensor, turning: Tensor) -> None:
        """xi = L ^ grad S/|grad S|^2 with the turning for L, in its old size."""
        a, b, c = torch.combinations(torch.arange(len(by_entropy)), 3).T
        s = by_entropy
        xi = turning[a, b] * s[c] + turning[b, c] * s[a] + turning[c, a] * s[b]
        if xi.any():
            with torch.no_grad():
                self.xi.copy_((xi / xi.square().mean().sqrt())[:, None])

    def _dense(self, name: str, updates: Updates) -> Tensor:
        """A tensor under its update, `[..., 1 or tasks, out, in]`."""
        tensor: Tensor = getattr(self, name)
        return updates.get(name, PLAIN).dense(tensor)

    def _xi(self, updates: Updates) -> Tensor:
        """xi as a matrix from pairs to components, `[..., 1 or tasks, state, pairs]`."""
        return self._dense("xi", updates).squeeze(-1)[..., self.index] * self.sign

    def _v(self, by_energy: Tensor, updates: Updates) -> Tensor:
        """V^T `[..., tasks, points, rank, state]`, row m is Lambda^m grad E."""
        skew = self._dense("skew", updates)
        turned = self.square(skew).flatten(-3, -2)
        if turned.shape[-3] == 1:
            rows = by_task(to_rows(by_energy) @ turned.squeeze(-3).mT, by_energy.shape[-3])
        else:
            rows = by_energy @ turned.mT
        return rows.unflatten(-1, (skew.shape[-2], -1))

    def field(self, y: Tensor, by_energy: Tensor, by_entropy: Tensor, updates: Updates) -> Tensor:
        wedge, xi = self.wedge(by_energy, by_entropy), self._xi(updates)
        reversible = wedge @ xi.mT if "xi" in updates else by_task(to_rows(wedge) @ xi.squeeze(-3).mT, y.shape[-3])
        v, weight = self._v(by_energy, updates), self._dense("weight", updates)[..., None, :, :]
        rates = weight @ (weight.mT @ (v @ by_entropy[..., None]))
        return reversible + (v.mT @ rates).squeeze(-1)

    def poisson(self, y: Tensor, by_entropy: Tensor, updates: Updates) -> Tensor:
        return self.contract(self._xi(updates)[..., None, :, :], by_entropy[..., None, :])

    def friction(self, y: Tensor, by_energy: Tensor, updates: Updates) -> Tensor:
        v = self._v(by_energy, updates)
        half = self._dense("weight", updates)[..., None, :, :].mT @ v
        return half.mT @ half


def antisymmetric(size: int, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Where xi_abc, b < c, lies among the triples, and its sign (zero where a is b or c), both `[state, pairs]`."""
    with torch.device("cpu"):  # the values decide the shape, and a model may be built where there are none
        triples = torch.combinations(torch.arange(size), 3)
        index, sign = torch.zeros(size, size, size, dtype=torch.long), torch.zeros(size, size, size)
        for i, j, k in permutations(range(3)):
            places = triples[:, i], triples[:, j], triples[:, k]
            index[places] = torch.arange(len(triples))
            sign[places] = (j - i) * (k - i) * (k - j) / 2
    first, second = pairs
    return index.to(pairs.device)[:, first, second], sign.to(pairs.device)[:, first, second]
