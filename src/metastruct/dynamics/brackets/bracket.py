"""The two brackets of metriplectic dynamics, L and M, with their degeneracies by construction.

    dx/dt = L grad E + M grad S,   L = -L^T,   M = M^T >= 0,   L grad S = 0,   M grad E = 0

so that dE/dt = 0 and dS/dt >= 0 (Ottinger and Grmela 1997). A bracket takes the gradients of E and S and never their
nets, so no modulation of the potentials can break it. Skew matrices are kept as vectors over the pairs a < b of
components, `[..., pairs]`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from metastruct.config.facts import providing
from metastruct.nets.site import Site, Updates

MOST = 65  # components: 32 particles and a bath; tensors over triples of them would be millions of numbers


class Bracket(nn.Module, ABC):
    """L and M at states of spread one, from the gradients there, both `[..., tasks, points, state]`.

    The sites of a bracket carry the tag "bracket": they are shared by all tasks unless a modulation takes that tag.
    """

    sites: list[Site]
    tilt: float  # tangent of the angle between grad E and grad S at the start of a training
    ends: Tensor  # [state, 2 * pairs], picks the first, then the second component of each pair

    def __init__(self, state_dim: int):
        super().__init__()
        if state_dim > MOST:
            raise ValueError(
                f"a bracket over all pairs of components is for at most {MOST} of them, got {state_dim}; use "
                f"{providing('dynamics', 'many')} with {providing('net', 'sums')}"
            )
        self.pairs = torch.triu_indices(state_dim, state_dim, 1)
        self.register_buffer("ends", torch.eye(state_dim)[:, self.pairs.flatten()])

    def start(self, by_entropy: Tensor, turning: Tensor) -> None:
        """Told once, before a training: grad S `[state]`, and the skew part of the nearest linear law `[state, state]`.

        Where E is about |y|^2/2 beside T S, that part is L.
        """

    def parameters_of(self, name: str) -> tuple[Tensor, Tensor | None]:
        """W and b of the site of this name; a bare tensor has no b."""
        tensor: Tensor = getattr(self, name)
        return tensor, None

    @abstractmethod
    def field(self, y: Tensor, by_energy: Tensor, by_entropy: Tensor, updates: Updates) -> Tensor:
        """L grad E + M grad S, without forming a matrix; everything is `[..., tasks, points, state]`."""

    @abstractmethod
    def poisson(self, y: Tensor, by_entropy: Tensor, updates: Updates) -> Tensor:
        """L `[..., tasks, points, state, state]`."""

    @abstractmethod
    def friction(self, y: Tensor, by_energy: Tensor, updates: Updates) -> Tensor:
        """M `[..., tasks, points, state, state]`."""

    def wedge(self, a: Tensor, b: Tensor) -> Tensor:
        """a ^ b over pairs, a_i b_j - a_j b_i, from vectors `[..., state]`."""
        first, second = torch.triu_indices(a.shape[-1], a.shape[-1], 1, device=a.device)
        a, b = (values.movedim(-1, 0).contiguous() for values in (a, b))  # a component is one piece of memory
        product = a.index_select(0, first) * b.index_select(0, second)
        return (product - a.index_select(0, second) * b.index_select(0, first)).movedim(0, -1)

    def contract(self, skew: Tensor, v: Tensor) -> Tensor:
        """The skew matrix times v: (skew v)_i = sum_j skew_ij v_j, `[..., state]`."""
        first, second = (v @ self.ends).chunk(2, dim=-1)
        return torch.cat([skew * second, -skew * first], dim=-1) @ self.ends.mT

    def square(self, skew: Tensor) -> Tensor:
        """The skew matrix itself, `[..., state, state]`."""
        size = len(self.ends)
        first, second = torch.triu_indices(size, size, 1, device=skew.device)
        matrix = skew.new_zeros(*skew.shape[:-1], size * size).index_copy(-1, first * size + second, skew)
        matrix = matrix.unflatten(-1, (size, -1))
        return matrix - matrix.mT
