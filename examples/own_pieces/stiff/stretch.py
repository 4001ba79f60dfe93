"""Modulation that stretches what goes into a site: act(W diag(1 + c) h + b + s), c and s generated."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metastruct.modulation.modulation import Modulation, Part
from metastruct.nets.product import by_task, to_rows
from metastruct.nets.site import Site, Update


@dataclass
class StretchUpdate(Update):
    """M = W diag(1 + c), with one c a feature and task, `[..., tasks, in]`."""

    stretch: Tensor
    shift: Tensor | None = None

    def _stretched(self, rows: Tensor) -> Tensor:
        return to_rows(by_task(rows, self.stretch.shape[-2]) * (1 + self.stretch)[..., None, :])

    def linear(self, h: Tensor, weight: Tensor) -> Tensor:
        return self._stretched(h) @ weight.mT

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        return self._stretched(g @ weight)

    def dense(self, weight: Tensor) -> Tensor:
        return weight[..., None, :, :] * (1 + self.stretch)[..., None, :]


class Stretch(Modulation):
    """A stretch of every feature that goes into a site, per task."""

    def parts(self, site: Site) -> dict[str, Part]:
        return {"stretch": Part((site.in_features,), self.scale)}

    def update(self, site: Site, generated: dict[str, Tensor], shift: Tensor | None) -> Update:
        return StretchUpdate(generated["stretch"], shift)
