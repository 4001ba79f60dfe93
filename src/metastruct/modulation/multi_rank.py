"""Multi-rank modulation: act((W + U V^T) h + b + s); rank one is its r = 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from metastruct.modulation.low_rank import LowRankUpdate
from metastruct.modulation.modulation import Modulation, Part
from metastruct.nets.site import Site, Update


class MultiRank(Modulation):
    """U `[out, r]`, V `[in, r]` and s generated per task (MR(r) of the paper; RO for r = 1).

    U is zero at a zero code and V is random there: with both at zero neither would ever receive a gradient. The rank is
    clipped to the smaller side of a site.
    """

    def __init__(self, sites: Sequence[Site], rank: int, **frame: Any):
        self.rank = rank
        super().__init__(sites, **frame)

    def parts(self, site: Site) -> dict[str, Part]:
        rank = min(self.rank, site.in_features, site.out_features)
        spread = 1 / math.sqrt(site.in_features)
        return {
            "left": Part((site.out_features, rank), self.scale),
            "right": Part((site.in_features, rank), spread, "random"),
        }

    def update(self, site: Site, generated: dict[str, Tensor], shift: Tensor | None) -> Update:
        return LowRankUpdate(generated["left"], generated["right"], shift)
