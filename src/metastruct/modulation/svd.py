"""SVD-like modulation: act((W + sum_i d_i u_i v_i^T) h + b + s)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from metastruct.modulation.low_rank import DiagonalUpdate
from metastruct.modulation.modulation import Modulation, Part
from metastruct.nets.site import Site, Update


class SVD(Modulation):
    """Singular values d and shifts s generated per task, bases u_i, v_i shared (SVD(r) of the paper).

    The bases are base parameters, trained in the outer loop and held near orthonormal by the penalty
    ||U^T U - I||_F + ||V^T V - I||_F, or exactly so by torch's parametrization, a product of Householder reflections,
    which the paper leaves open. The rank is clipped to the smaller side of a site.

    Args:
        rank: number r of singular values of a site.
        nonnegative: ReLU on the singular values. They start positive: a ReLU has no gradient at or below zero.
        start: their value at a zero code.
        orthogonality: weight of the penalty.
        exact: orthonormal bases in the place of the penalty.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        rank: int,
        nonnegative: bool = True,
        start: float = 0.5,
        orthogonality: float = 0.01,
        exact: bool = False,
        **frame: Any,
    ):
        self.rank, self.nonnegative, self.start = rank, nonnegative, start
        self.orthogonality, self.exact = orthogonality, exact
        super().__init__(sites, **frame)
        self.left, self.right = nn.ParameterDict(), nn.ParameterDict()
        for site in self.matrix_sites:
            rank = self._rank(site)
            self.left[key(site)] = nn.Parameter(orthonormal(site.out_features, rank))
            self.right[key(site)] = nn.Parameter(orthonormal(site.in_features, rank))
            if exact:
                for bases in (self.left, self.right):
                    hold_orthonormal(bases, key(site))

    def _rank(self, site: Site) -> int:
        return min(self.rank, site.in_features, site.out_features)

    def parts(self, site: Site) -> dict[str, Part]:
        return {"singular_values": Part((self._rank(site),), self.scale, self.start)}

    def update(self, site: Site, generated: dict[str, Tensor], shift: Tensor | None) -> Update:
        d = generated["singular_values"]
        if self.nonnegative:
            d = torch.relu(d)
        return DiagonalUpdate(self.left[key(site)], self.right[key(site)], d, shift)

    def _defects(self) -> list[Tensor]:
        """U^T U - I of all bases `[..., bases, r, r]`, those of one shape together."""
        bases: dict[torch.Size, list[Tensor]] = {}
        for basis in (*self.left.values(), *self.right.values()):
            bases.setdefault(basis.shape, []).append(basis)
        stacks = [torch.stack(alike, dim=-3) for alike in bases.values()]
        return [stack.mT @ stack - identity(stack.shape[-1], stack.dtype, stack.device) for stack in stacks]

    def penalty(self) -> Tensor | float:
        if self.exact:
            return 0.0
        norms = [torch.linalg.vector_norm(defect, dim=(-2, -1)).sum(-1) for defect in self._defects()]
        penalty: Tensor = self.orthogonality * sum(norms[1:], norms[0])
        return penalty

    @torch.no_grad()
    def singular_values(self, codes: Tensor) -> dict[str, Tensor]:
        return {
            name: update.singular_values for name, update in self(codes).items() if isinstance(update, DiagonalUpdate)
        }

    @torch.no_grad()
    def diagnostics(self, codes: Tensor) -> dict[str, float]:
        values = torch.cat([*self.singular_values(codes).values()], dim=-1)
        dead = (values <= 0).all(dim=-2).sum() if self.nonnegative else torch.zeros(())
        defect = max(float(defect.abs().max()) for defect in self._defects())
        return {"dead_singular_values": float(dead), "orthogonality_defect": defect}


@lru_cache(maxsize=8)
def identity(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix `[size, size]`."""
    return torch.eye(size, dtype=dtype, device=device)


def key(site: Site) -> str:
    """A site's name as a parameter name, which may hold no dot."""
    return site.name.replace(".", "_")


def hold_orthonormal(bases: nn.ParameterDict, name: str) -> None:
    """Make a basis a function of free parameters that is orthonormal whatever they are, in every precision."""
    orthogonal(bases, name, orthogonal_map="householder", use_trivialization=False)
    free = bases.get_submodule(f"parametrizations.{name}").get_parameter("original")
    free.data = free.data.contiguous()  # LAPACK left it column by column


def orthonormal(rows: int, columns: int) -> Tensor:
    """A random matrix with orthonormal columns."""
    basis: Tensor = torch.linalg.qr(torch.randn(rows, columns))[0].contiguous()  # fused Adam takes no notice of strides
    return basis
