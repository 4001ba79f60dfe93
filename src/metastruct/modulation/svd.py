"""SVD-like modulation: act((W + sum_i d_i u_i v_i^T) h + b + s)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from metastruct.modulation.low_rank import DiagonalUpdate
from metastruct.modulation.modulation import Modulation, Part
from metastruct.nets.site import Site, Update


class SVD(Modulation):
    """Singular values d and shifts s generated per task, bases u_i, v_i shared (SVD(r) of the paper).

    The bases are base parameters, trained in the outer loop and held near orthonormal by the penalty
    ||U^T U - I||_F + ||V^T V - I||_F. The rank is clipped to the smaller side of a site.

    Args:
        rank: number r of singular values of a site.
        nonnegative: ReLU on the singular values. They start positive: a ReLU has no gradient at or below zero.
        start: their value at a zero code.
        orthogonality: weight of the penalty.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        rank: int,
        nonnegative: bool = True,
        start: float = 0.5,
        orthogonality: float = 0.01,
        **frame: object,
    ):
        self.rank, self.nonnegative, self.start, self.orthogonality = rank, nonnegative, start, orthogonality
        super().__init__(sites, **frame)
        self.left, self.right = nn.ParameterDict(), nn.ParameterDict()
        for site in self.sites:
            rank = self._rank(site)
            self.left[key(site)] = nn.Parameter(orthonormal(site.out_features, rank))
            self.right[key(site)] = nn.Parameter(orthonormal(site.in_features, rank))

    def _rank(self, site: Site) -> int:
        return min(self.rank, site.in_features, site.out_features)

    def parts(self, site: Site) -> dict[str, Part]:
        parts = {"singular_values": Part((self._rank(site),), self.scale, self.start)}
        return parts | ({"shift": self.shift_part(site)} if site.bias else {})

    def update(self, site: Site, generated: dict[str, Tensor]) -> Update:
        d = generated["singular_values"]
        if self.nonnegative:
            d = torch.relu(d)
        return DiagonalUpdate(self.left[key(site)], self.right[key(site)], d, generated.get("shift"))

    def _defects(self) -> list[Tensor]:
        bases = [*self.left.values(), *self.right.values()]
        return [
            basis.mT @ basis - torch.eye(basis.shape[-1], dtype=basis.dtype, device=basis.device) for basis in bases
        ]

    def penalty(self) -> Tensor | float:
        norms = [torch.linalg.matrix_norm(defect) for defect in self._defects()]
        return self.orthogonality * torch.stack(norms).sum(0)

    @torch.no_grad()
    def singular_values(self, codes: Tensor) -> dict[str, Tensor]:
        return {name: update.singular_values for name, update in self(codes).items()}

    @torch.no_grad()
    def diagnostics(self, codes: Tensor) -> dict[str, float]:
        values = torch.cat([*self.singular_values(codes).values()], dim=-1)
        dead = (values <= 0).all(dim=-2).sum() if self.nonnegative else torch.zeros(())
        defect = torch.stack([defect.abs().max() for defect in self._defects()]).max()
        return {"dead_singular_values": float(dead), "orthogonality_defect": float(defect)}


def key(site: Site) -> str:
    """A site's name as a parameter name, which may hold no dot."""
    return site.name.replace(".", "_")


def orthonormal(rows: int, columns: int) -> Tensor:
    """A random matrix with orthonormal columns."""
    return torch.linalg.qr(torch.randn(rows, columns))[0]
