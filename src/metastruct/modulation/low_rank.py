"""Updates of low rank, applied factor by factor.

Forming each task's weight matrix costs a batched product of full size; (h B) A^T costs r/width of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from metastruct.nets.product import by_task, plus_product, to_rows
from metastruct.nets.site import Update


@dataclass
class LowRankUpdate(Update):
    """M = W + A B^T, factors of each task's own: left A `[..., tasks, out, r]`, right B `[..., tasks, in, r]`."""

    left: Tensor
    right: Tensor
    shift: Tensor | None = None

    def linear(self, h: Tensor, weight: Tensor) -> Tensor:
        projected = by_task(h, self.right.shape[-3]) @ self.right
        return plus_product(to_rows(projected @ self.left.mT), h, weight.mT)

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        projected = by_task(g, self.left.shape[-3]) @ self.left
        return plus_product(to_rows(projected @ self.right.mT), g, weight)

    def dense(self, weight: Tensor) -> Tensor:
        return weight[..., None, :, :] + self.left @ self.right.mT


@dataclass
class DiagonalUpdate(Update):
    """M = W + U diag(d) V^T, bases that all tasks share: U `[..., out, r]`, V `[..., in, r]`, d `[..., tasks, r]`."""

    left: Tensor
    right: Tensor
    singular_values: Tensor
    shift: Tensor | None = None

    def _through(self, rows: Tensor, right: Tensor, left: Tensor) -> Tensor:
        """rows (left diag(d) right^T)^T; in between as `[..., r, tasks * points]`.

        A BLAS takes up to five times as long for products with few columns as for those with few rows, and r numbers
        in a row are too few for a loop over them.
        """
        d = self.singular_values
        projected: Tensor = (right.mT @ rows.mT).unflatten(-1, (d.shape[-2], -1)) * d.mT[..., None]
        return projected.flatten(-2).mT @ left.mT

    def linear(self, h: Tensor, weight: Tensor) -> Tensor:
        return plus_product(self._through(h, self.right, self.left), h, weight.mT)

    def transpose(self, g: Tensor, weight: Tensor) -> Tensor:
        return plus_product(self._through(g, self.left, self.right), g, weight)

    def dense(self, weight: Tensor) -> Tensor:
        change = self.left[..., None, :, :] * self.singular_values[..., None, :] @ self.right[..., None, :, :].mT
        return weight[..., None, :, :] + change
