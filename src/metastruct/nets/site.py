"""The seam between nets and modulations.

A net declares its *sites*, the affine maps that a task may change. A modulation turns the codes of a batch of tasks into
one *update* a site. An update applies itself to activations, so that low rank stays low rank:

    apply      z = (W + dW) h + b + s        [tasks, points, out]
    transpose  (W + dW)^T g                  [tasks, points, in]
    dense      (dW, s)                       [tasks, out, in], [tasks, out]: what the two above must agree with

All leading axes before `[tasks, points, features]` broadcast. `Plain` is the update that changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from torch import Tensor

from metastruct.nets.product import shared_product


@dataclass(frozen=True)
class Site:
    """An affine map `out_features x in_features` of a net, tagged "input", "hidden" or "output"."""

    name: str
    tag: str
    out_features: int
    in_features: int
    bias: bool = True

    def prefixed(self, prefix: str) -> Site:
        return replace(self, name=f"{prefix}.{self.name}")


class Update(ABC):
    """What a modulation makes of one site for a batch of tasks."""

    @abstractmethod
    def apply(self, h: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """(W + dW) h + b + s, `[..., tasks, points, out]`."""

    @abstractmethod
    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        """(W + dW)^T g, `[..., tasks, points, in]`."""

    @abstractmethod
    def dense(self) -> tuple[Tensor | None, Tensor | None]:
        """(dW, s), None where a part is not changed."""


class Plain(Update):
    """The update that leaves a site as it is."""

    def apply(self, h: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return shared_product(h, weight.mT, bias if bias is None or bias.dim() == 1 else bias[..., None, None, :])

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        return shared_product(g, weight)

    def dense(self) -> tuple[None, None]:
        return None, None


PLAIN = Plain()
Updates = dict[str, Update]


def under(updates: Updates, prefix: str) -> Updates:
    """The updates of the sites below `prefix.`, with the prefix taken off."""
    start = f"{prefix}."
    return {name[len(start) :]: update for name, update in updates.items() if name.startswith(start)}
