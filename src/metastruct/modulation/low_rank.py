"""Updates of low rank, applied factor by factor.

Forming each task's weight matrix costs a batched product of full size; (h B) A^T costs r/width of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from metastruct.nets.product import by_task, gathered, sum_of, to_rows
from metastruct.nets.site import Pair, Update, shared_outer


@dataclass
class LowRankUpdate(Update):
    """dW = A B^T with factors of each task's own: left A `[..., tasks, out, r]`, right B `[..., tasks, in, r]`."""

    left: Tensor
    right: Tensor
    shift: Tensor | None = None

    @property
    def factors(self) -> tuple[Tensor, ...]:
        return self.left, self.right

    def linear(self, h: Tensor, weight: Tensor, onto: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept = by_task(h, self.right.shape[-3]) @ self.right
        change = to_rows(kept @ self.left.mT)
        return gathered(change if onto is None else onto + change, h, weight.mT), kept

    def transpose(self, g: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        kept = by_task(g, self.left.shape[-3]) @ self.left
        return gathered(to_rows(kept @ self.right.mT), g, weight), kept

    def pullback(self, pairs: Sequence[Pair], needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
        tasks = self.left.shape[-3]
        return (
            shared_outer([(a, b) for (a, _), (b, _) in pairs]) if needs[0] else None,
            sum_of([by_task(a, tasks).mT @ kept for (a, _), (_, kept) in pairs]),
            sum_of([by_task(b, tasks).mT @ kept for (_, kept), (b, _) in pairs]),
        )

    def dense(self) -> Tensor:
        return self.left @ self.right.mT


@dataclass
class DiagonalUpdate(Update):
    """dW = U diag(d) V^T with bases that all tasks share: U `[..., out, r]`, V `[..., in, r]`, d `[..., tasks, r]`."""

    left: Tensor
    right: Tensor
    singular_values: Tensor
    shift: Tensor | None = None

    @property
    def factors(self) -> tuple[Tensor, ...]:
        return self.left, self.right, self.singular_values

    def _scaled(self, projected: Tensor) -> Tensor:
        d = self.singular_values
        return to_rows(by_task(projected, d.shape[-2]) * d[..., None, :])

    def linear(self, h: Tensor, weight: Tensor, onto: Tensor | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        projected = h @ self.right
        scaled = self._scaled(projected)
        change = scaled @ self.left.mT if onto is None else gathered(onto, scaled, self.left.mT)
        return gathered(change, h, weight.mT), (projected, scaled)

    def transpose(self, g: Tensor, weight: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        projected = g @ self.left
        scaled = self._scaled(projected)
        return gathered(scaled @ self.right.mT, g, weight), (projected, scaled)

    def pullback(self, pairs: Sequence[Pair], needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
        tasks = self.singular_values.shape[-2]
        return (
            shared_outer([(a, b) for (a, _), (b, _) in pairs]) if needs[0] else None,
            shared_outer([(a, scaled) for (a, _), (_, (_, scaled)) in pairs]) if needs[1] else None,
            shared_outer([(b, scaled) for (_, (_, scaled)), (b, _) in pairs]) if needs[2] else None,
            by_task(sum_of([au * bv for (_, (au, _)), (_, (bv, _)) in pairs]), tasks).sum(-2),
        )

    def dense(self) -> Tensor:
        return self.left[..., None, :, :] * self.singular_values[..., None, :] @ self.right[..., None, :, :].mT
