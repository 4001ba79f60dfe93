"""Full-weight modulation: act((W + dW) h + b + s), as in CoDA."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from metastruct.modulation.modulation import Modulation, Part
from metastruct.nets.product import by_task, to_rows
from metastruct.nets.site import Site, Update


@dataclass
class FullUpdate(Update):
    """M = W + dW with dW `[..., tasks, out, in]` as it is."""

    change: Tensor
    shift: Tensor | None = None

    def linear(self, h: Tensor, weight: Tensor) -> Tensor:
        return to_rows(by_task(h, self.change.shape[-3]) @ self.dense(weight).mT)

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        return to_rows(by_task(g, self.change.shape[-3]) @ self.dense(weight))

    def dense(self, weight: Tensor) -> Tensor:
        return weight[..., None, :, :] + self.change


class FullWeight(Modulation):
    """A full change of every weight per task (FW of the paper, after Kirchmeyer et al. 2022)."""

    def parts(self, site: Site) -> dict[str, Part]:
        return {"change": Part((site.out_features, site.in_features), self.scale / math.sqrt(site.in_features))}

    def update(self, site: Site, generated: dict[str, Tensor], shift: Tensor | None) -> Update:
        return FullUpdate(generated["change"], shift)
