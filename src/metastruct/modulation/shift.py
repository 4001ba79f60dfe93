"""Shift modulation: act(W h + b + s)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metastruct.modulation.modulation import Modulation, Part
from metastruct.nets.product import shared_product
from metastruct.nets.site import Site, Update


def plus_bias(shift: Tensor, bias: Tensor | None) -> Tensor:
    """b + s as `[..., tasks, 1, out]`, to be added inside a matrix product."""
    return (shift if bias is None else shift + bias[..., None, :])[..., None, :]


@dataclass
class ShiftUpdate(Update):
    shift: Tensor  # [..., tasks, out]

    def apply(self, h: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return shared_product(h, weight.mT, plus_bias(self.shift, bias))

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        return shared_product(g, weight)

    def dense(self) -> tuple[None, Tensor]:
        return None, self.shift


class Shift(Modulation):
    """One shift of the pre-activations per task; the cheapest modulation. FiLM without scale (functa; paper, table of modulations)."""

    def parts(self, site: Site) -> dict[str, Part]:
        return {"shift": self.shift_part(site)} if site.bias else {}

    def update(self, site: Site, generated: dict[str, Tensor]) -> Update:
        return ShiftUpdate(generated["shift"])
