"""Full-weight modulation: act((W + dW) h + b + s), as in CoDA."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from metastruct.modulation.modulation import Modulation, Part
from metastruct.modulation.shift import plus_bias
from metastruct.nets.product import task_product
from metastruct.nets.site import Site, Update


@dataclass
class FullUpdate(Update):
    change: Tensor  # [..., tasks, out, in]
    shift: Tensor | None  # [..., tasks, out]

    def _weight(self, weight: Tensor) -> Tensor:
        return weight[..., None, :, :] + self.change

    def apply(self, h: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        plus = None if self.shift is None else plus_bias(self.shift, bias)
        return task_product(h, self._weight(weight).mT, plus)

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        return task_product(g, self._weight(weight))

    def dense(self) -> tuple[Tensor, Tensor | None]:
        return self.change, self.shift


class FullWeight(Modulation):
    """A full change of every weight per task (FW of the paper, after Kirchmeyer et al. 2022)."""

    def parts(self, site: Site) -> dict[str, Part]:
        parts = {"change": Part((site.out_features, site.in_features), self.scale / math.sqrt(site.in_features))}
        return parts | ({"shift": self.shift_part(site)} if site.bias else {})

    def update(self, site: Site, generated: dict[str, Tensor]) -> Update:
        return FullUpdate(generated["change"], generated.get("shift"))
