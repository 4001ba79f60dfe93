"""The seam between nets and modulations.

A net declares its *sites*, the affine maps that a task may change. A modulation turns the codes of a batch of tasks
into one *update* a site, which stands for the task's matrix M = W + dW and its shift s, and applies itself to
activations, so that low rank stays low rank:

    linear      M h                  as rows [..., tasks * points, out]
    transpose   M^T g                as rows [..., tasks * points, in]
    dense       dW                   [..., tasks, out, in]: what the two above must agree with
    pullback    the cotangents of W and of the update's factors, from pairs of rows whose outer products sum to M's

Everything that a backward pass needs of the activations is again `linear` and `transpose`; only the factors need a
pullback, which reuses what those two kept of their operands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from metastruct.nets.product import gathered

Operand = tuple[Tensor, Any]  # rows, and what linear or transpose kept of them
Pair = tuple[Operand, Operand]  # (left rows [.., out], right rows [.., in]); their outer product is meant


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
    """What a modulation makes of one site for a batch of tasks; `shift` is s `[..., tasks, out]`, or None."""

    shift: Tensor | None

    @property
    @abstractmethod
    def factors(self) -> tuple[Tensor, ...]:
        """The tensors that dW is made of."""

    @abstractmethod
    def linear(self, h: Tensor, weight: Tensor, onto: Tensor | None = None) -> tuple[Tensor, Any]:
        """(W + dW) h (+ onto, which may be used up), and what to keep of h for `pullback`."""

    @abstractmethod
    def transpose(self, g: Tensor, weight: Tensor) -> tuple[Tensor, Any]:
        """(W + dW)^T g, and what to keep of g for `pullback`."""

    @abstractmethod
    def pullback(self, pairs: Sequence[Pair], needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
        """Cotangents of W and of the factors where that of M is the sum over pairs and points of left right^T.

        `needs` says of W and of each factor whether its cotangent is wanted; None stands for one that is not.
        """

    @abstractmethod
    def dense(self) -> Tensor | None:
        """dW `[..., tasks, out, in]`, or None where it is zero."""


@dataclass
class ShiftUpdate(Update):
    """dW = 0: only the offset changes, or nothing at all."""

    shift: Tensor | None = None

    @property
    def factors(self) -> tuple[Tensor, ...]:
        return ()

    def linear(self, h: Tensor, weight: Tensor, onto: Tensor | None = None) -> tuple[Tensor, None]:
        return h @ weight.mT if onto is None else gathered(onto, h, weight.mT), None

    def transpose(self, g: Tensor, weight: Tensor) -> tuple[Tensor, None]:
        return g @ weight, None

    def pullback(self, pairs: Sequence[Pair], needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
        return (shared_outer([(left, right) for (left, _), (right, _) in pairs]) if needs[0] else None,)

    def dense(self) -> None:
        return None


def shared_outer(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Sum over pairs and rows of left right^T, `[..., n, m]`."""
    (left, right), *others = pairs
    total = left.mT @ right
    for left, right in others:
        total = gathered(total, left.mT, right)
    return total


PLAIN = ShiftUpdate()
Updates = dict[str, Update]


def under(updates: Updates, prefix: str) -> Updates:
    """The updates of the sites below `prefix.`, with the prefix taken off."""
    start = f"{prefix}."
    return {name[len(start) :]: update for name, update in updates.items() if name.startswith(start)}
