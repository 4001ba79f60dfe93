"""The seam between nets and modulations.

A net declares its *sites*, the affine maps that a task may change. A modulation turns the codes of a batch of tasks
into one *update* a site, which stands for the task's matrix M in the place of W and for its offset, and applies itself
to activations, so that low rank stays low rank:

    linear      M h                  as rows [..., tasks * points, out]
    transpose   M^T g                as rows [..., tasks * points, in]
    dense       M                    [..., tasks, out, in]: what the two above must agree with
    offset      b + s                [..., tasks, out]

Updates are plain differentiable tensor code: reverse and forward mode and vmap go through them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class Site:
    """An affine map `out_features x in_features` of a net, tagged "input", "hidden" or "output"."""

    name: str
    tag: str
    out_features: int
    in_features: int
    bias: bool = True

    def prefixed(self, prefix: str) -> Site:
        """The same with `prefix.` in front of its name."""
        return replace(self, name=f"{prefix}.{self.name}")


class Update(ABC):
    """What a modulation makes of one site for a batch of tasks; `shift` is s `[..., tasks, out]`, or None."""

    shift: Tensor | None

    @abstractmethod
    def linear(self, h: Tensor, weight: Tensor) -> Tensor:
        """M h for rows h `[..., tasks * points, in]` and W `[..., out, in]`."""

    @abstractmethod
    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        """M^T g for rows g `[..., tasks * points, out]`."""

    @abstractmethod
    def dense(self, weight: Tensor) -> Tensor:
        """M `[..., tasks, out, in]`; one task stands for all where they share it."""

    def offset(self, bias: Tensor | None) -> Tensor | None:
        """b + s `[..., tasks, out]` from b `[..., out]`; one task stands for all, and None for neither b nor s."""
        return total(None if bias is None else bias[..., None, :], self.shift)


def total(bias: Tensor | None, shift: Tensor | None) -> Tensor | None:
    """Their sum `[..., tasks, out]`, where None is nothing."""
    return shift if bias is None else bias if shift is None else bias + shift


@dataclass
class ShiftUpdate(Update):
    """M = W: only the offset changes, or nothing at all."""

    shift: Tensor | None = None

    def linear(self, h: Tensor, weight: Tensor) -> Tensor:
        return h @ weight.mT

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        return g @ weight

    def dense(self, weight: Tensor) -> Tensor:
        return weight[..., None, :, :]


PLAIN = ShiftUpdate()
Updates = dict[str, Update]


def under(updates: Updates, prefix: str) -> Updates:
    """The updates of the sites below `prefix.`, with the prefix taken off."""
    start = f"{prefix}."
    return {name[len(start) :]: update for name, update in updates.items() if name.startswith(start)}
