"""The update W + A B^T of low rank, applied factor by factor.

Forming each task's weight matrix costs a batched product of full size; (h B) A^T costs r/width of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metastruct.modulation.shift import plus_bias
from metastruct.nets.product import shared_product, task_product
from metastruct.nets.site import Update


@dataclass
class LowRankUpdate(Update):
    """dW = A B^T with factors of each task's own: left A `[..., tasks, out, r]`, right B `[..., tasks, in, r]`."""

    left: Tensor
    right: Tensor
    shift: Tensor | None  # [..., tasks, out]

    def apply(self, h: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        plus = None if self.shift is None else plus_bias(self.shift, bias)
        return shared_product(h, weight.mT, task_product(h @ self.right, self.left.mT, plus))

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        return shared_product(g, weight, task_product(g @ self.left, self.right.mT))

    def dense(self) -> tuple[Tensor, Tensor | None]:
        return self.left @ self.right.mT, self.shift


@dataclass
class DiagonalUpdate(Update):
    """dW = U diag(d) V^T with bases that all tasks share: U `[..., out, r]`, V `[..., in, r]`, d `[..., tasks, r]`."""

    left: Tensor
    right: Tensor
    singular_values: Tensor
    shift: Tensor | None

    def _scaled(self, basis: Tensor) -> Tensor:
        return self.singular_values[..., None] * basis.mT[..., None, :, :]

    def apply(self, h: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        plus = None if self.shift is None else plus_bias(self.shift, bias)
        return shared_product(h, weight.mT, task_product(shared_product(h, self.right), self._scaled(self.left), plus))

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        return shared_product(g, weight, task_product(shared_product(g, self.left), self._scaled(self.right)))

    def dense(self) -> tuple[Tensor, Tensor | None]:
        return self.left[..., None, :, :] @ self._scaled(self.right), self.shift
