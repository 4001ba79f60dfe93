"""Updates whose matrices and offsets lie ready: for few tasks that look at many points, or at single ones, often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from metastruct.nets.product import by_task, to_rows
from metastruct.nets.site import Update, Updates

if TYPE_CHECKING:
    from metastruct.dynamics.dynamics import Dynamics


@dataclass
class FoldedUpdate(Update):
    """M `[tasks, out, in]` and b + s `[tasks, out]` themselves; whatever made them is forgotten."""

    matrix: Tensor
    total: Tensor | None
    shift: Tensor | None = None

    def linear(self, h: Tensor, weight: Tensor) -> Tensor:
        if len(self.matrix) == 1:
            return h @ self.matrix[0].mT
        return to_rows(by_task(h, len(self.matrix)) @ self.matrix.mT)

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        if len(self.matrix) == 1:
            return g @ self.matrix[0]
        return to_rows(by_task(g, len(self.matrix)) @ self.matrix)

    def dense(self, weight: Tensor) -> Tensor:
        return self.matrix

    def offset(self, bias: Tensor | None) -> Tensor | None:
        return self.total


def folded(updates: Updates, dynamics: Dynamics) -> Updates:
    """The same updates, those of the sites of a dynamics folded."""
    return {**updates} | {
        site.name: FoldedUpdate(updates[site.name].dense(weight), updates[site.name].offset(bias))
        for site in dynamics.sites
        if site.name in updates
        for weight, bias in [dynamics.parameters_of(site)]
    }
