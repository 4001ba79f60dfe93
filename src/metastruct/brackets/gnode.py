"""GENERIC neural ODE brackets of constant tensors (Lee, Trask, Stinis 2021, "Machine learning structure preserving
brackets for forecasting irreversible processes").

    L_ab = sum_c xi_abc dS/dx_c, xi totally antisymmetric               so that L grad S = 0
    M = V D V^T, V = [Lambda^1 grad E, ..., Lambda^r grad E], Lambda^m skew, D = D~ D~^T   so that M grad E = 0

xi has one free number for each triple a < b < c. With w = grad E ^ grad S, L grad E = sum_{b<c} xi_abc w_bc and
M grad S is minus the skew matrix Lambda^T D Lambda w times grad E: two small maps of w.
"""

from __future__ import annotations

from itertools import combinations, permutations
from math import comb, sqrt

import torch
from torch import Tensor, nn

from metastruct.brackets.bracket import Bracket
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
        a, b, c = torch.tensor(list(combinations(range(len(by_entropy)), 3))).T
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

    def field(self, y: Tensor, by_energy: Tensor, by_entropy: Tensor, updates: Updates) -> Tensor:
        wedge = self.wedge(by_energy, by_entropy)
        xi, rows = self._xi(updates), to_rows(wedge)
        reversible = wedge @ xi.mT if "xi" in updates else by_task(rows @ xi.squeeze(-3).mT, y.shape[-3])
        skew, weight = updates.get("skew", PLAIN), updates.get("weight", PLAIN)
        rates = weight.transpose(skew.linear(rows, self.skew), self.weight)
        forces = skew.transpose(weight.linear(rates, self.weight), self.skew)
        return reversible - self.contract(by_task(forces, y.shape[-3]), by_energy)

    def poisson(self, y: Tensor, by_entropy: Tensor, updates: Updates) -> Tensor:
        return self.contract(self._xi(updates)[..., None, :, :], by_entropy[..., None, :])

    def friction(self, y: Tensor, by_energy: Tensor, updates: Updates) -> Tensor:
        v = self.contract(self._dense("skew", updates)[..., None, :, :], by_energy[..., None, :])
        half = self._dense("weight", updates)[..., None, :, :].mT @ v
        return half.mT @ half


def antisymmetric(size: int, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Where xi_abc, b < c, lies among the triples, and its sign (zero where a is b or c), both `[state, pairs]`."""
    index = torch.zeros(size, size, size, dtype=torch.long)
    sign = torch.zeros(size, size, size)
    for number, triple in enumerate(combinations(range(size), 3)):
        for (i, a), (j, b), (k, c) in permutations(enumerate(triple)):
            index[a, b, c] = number
            sign[a, b, c] = (j - i) * (k - i) * (k - j) / 2
    first, second = pairs
    return index[:, first, second], sign[:, first, second]
