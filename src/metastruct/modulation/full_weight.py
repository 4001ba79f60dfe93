"""Full-weight modulation: act((W + dW) h + b + s), as in CoDA."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from metastruct.modulation.modulation import Modulation, Part
from metastruct.nets.product import by_task, sum_of, to_rows
from metastruct.nets.site import Pair, Site, Update


@dataclass
class FullUpdate(Update):
    """dW `[..., tasks, out, in]` as it is."""

    change: Tensor
    shift: Tensor | None = None

    @property
    def factors(self) -> tuple[Tensor, ...]:
        return (self.change,)

    def _apply(self, rows: Tensor, matrices: Tensor) -> Tensor:
        return to_rows(by_task(rows, self.change.shape[-3]) @ matrices)

    def linear(self, h: Tensor, weight: Tensor, onto: Tensor | None = None) -> tuple[Tensor, None]:
        product = self._apply(h, (weight[..., None, :, :] + self.change).mT)
        return product if onto is None else product + onto, None

    def transpose(self, g: Tensor, weight: Tensor) -> tuple[Tensor, None]:
        return self._apply(g, weight[..., None, :, :] + self.change), None

    def pullback(self, pairs: Sequence[Pair], needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
        tasks = self.change.shape[-3]
        change = sum_of([by_task(a, tasks).mT @ by_task(b, tasks) for (a, _), (b, _) in pairs])
        return change.sum(-3) if needs[0] else None, change

    def dense(self) -> Tensor:
        return self.change


class FullWeight(Modulation):
    """A full change of every weight per task (FW of the paper, after Kirchmeyer et al. 2022)."""

    def parts(self, site: Site) -> dict[str, Part]:
        return {"change": Part((site.out_features, site.in_features), self.scale / math.sqrt(site.in_features))}

    def update(self, site: Site, generated: dict[str, Tensor], shift: Tensor | None) -> Update:
        return FullUpdate(generated["change"], shift)
