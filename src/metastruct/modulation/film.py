"""FiLM: feature-wise linear modulation of the pre-activations, act((1 + c) (W h + b) + s)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metastruct.modulation.modulation import Modulation, Part
from metastruct.nets.product import by_task, to_rows
from metastruct.nets.site import Site, Update, total


@dataclass
class ScaleUpdate(Update):
    """M = diag(1 + c) W and the offset (1 + c) b + s, with one c a unit and task, `[..., tasks, out]`."""

    scale: Tensor
    shift: Tensor | None = None

    def _scaled(self, rows: Tensor) -> Tensor:
        return to_rows(by_task(rows, self.scale.shape[-2]) * (1 + self.scale)[..., None, :])

    def linear(self, h: Tensor, weight: Tensor) -> Tensor:
        return self._scaled(h @ weight.mT)

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        return self._scaled(g) @ weight

    def dense(self, weight: Tensor) -> Tensor:
        return (1 + self.scale)[..., None] * weight[..., None, :, :]

    def offset(self, bias: Tensor | None) -> Tensor | None:
        return total(None if bias is None else (1 + self.scale) * bias[..., None, :], self.shift)


class FiLM(Modulation):
    """A scale and a shift of every pre-activation per task: twice the numbers of `Shift`, and no basis to learn.

    Source: Perez et al. (2018), FiLM: visual reasoning with a general conditioning layer.
    """

    def parts(self, site: Site) -> dict[str, Part]:
        return {"scale": Part((site.out_features,), self.scale)}

    def update(self, site: Site, generated: dict[str, Tensor], shift: Tensor | None) -> Update:
        return ScaleUpdate(generated["scale"], shift)
