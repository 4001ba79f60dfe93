"""GEPS modulation: act((W + A diag(z) B^T) h + b + C z), no hyper-network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from metastruct.modulation.low_rank import DiagonalUpdate
from metastruct.modulation.modulation import SHIFT, Modulation, Part
from metastruct.modulation.svd import key
from metastruct.nets.site import Site, Update


class SharedCode(nn.Module):
    """The code itself for each matrix, then C z for all shifts, which has no offset.

    Args:
        matrices: number of matrices, which come first.
        scales: `[shifts]`, spread of each shift under a code of spread one.
    """

    def __init__(self, code_dim: int, matrices: int, scales: Tensor):
        super().__init__()
        self.matrices = matrices
        self.weight = nn.Parameter(torch.randn(len(scales), code_dim) * scales[:, None] / math.sqrt(code_dim))

    def forward(self, codes: Tensor) -> Tensor:
        """codes `[..., tasks, code]` -> `[..., tasks, matrices * code + shifts]`."""
        return torch.cat([codes] * self.matrices + [codes @ self.weight.mT], dim=-1)


class GEPS(Modulation):
    """The code as the singular values of every layer: A `[out, code]`, B `[in, code]` and C `[out, code]` are shared.

    One code for all sites, so its size is the rank. A zero code is the base. A and B start normal, like the weights of
    their site: A, B and the codes receive no gradient where the others are zero.

    Args:
        frame: as of `Modulation`, without `hidden`.

    Source: Koupai et al. (2024), Boosting generalization in parametric PDE neural solvers through adaptive
    conditioning.
    """

    def __init__(self, sites: Sequence[Site], **frame: Any):
        super().__init__(sites, **frame)
        self.left, self.right = nn.ParameterDict(), nn.ParameterDict()
        for site in self.matrix_sites:
            self.left[key(site)] = nn.Parameter(self.scale * torch.randn(site.out_features, self.code_dim))
            self.right[key(site)] = nn.Parameter(
                torch.randn(site.in_features, self.code_dim) / math.sqrt(site.in_features)
            )

    def make_hypernetwork(self, scales: Tensor, offsets: Tensor, hidden: int) -> nn.Module:
        if hidden:
            raise ValueError(f"modulation=geps has no hyper-network, got hidden {hidden}; leave it at 0")
        shifts = sum(size for (_, name, _), size in zip(self.layout, self.sizes, strict=True) if name == SHIFT)
        return SharedCode(self.code_dim, len(self.matrix_sites), scales[len(scales) - shifts :])

    def parts(self, site: Site) -> dict[str, Part]:
        return {"singular_values": Part((self.code_dim,), 1.0)}

    def update(self, site: Site, generated: dict[str, Tensor], shift: Tensor | None) -> Update:
        d = generated["singular_values"]
        return DiagonalUpdate(self.left[key(site)], self.right[key(site)], d, shift)
