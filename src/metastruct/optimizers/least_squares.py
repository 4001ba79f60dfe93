"""A linearised least-squares problem, r(x + d) = r + J d, in what all tasks share and in the codes of some.

A residual of task k depends on the base and on the code of k alone. With the columns of J sorted into both,

    J J^T = B B^T + blockdiag_k(C_k C_k^T)

and no zeros are kept. The columns of B stay apart by parameter, for to lay them side by side takes as long as a third
of the products. Everything may have leading axes of replicas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from metastruct.optimizers.outer import Outer

CODES = "codes"  # the key of the codes' part, `[..., tasks, code]`
Change = dict[str, Tensor]  # of the numbers of each parameter `[..., numbers]`, and of the codes


@dataclass(frozen=True)
class Rows:
    """Some residuals and their derivatives.

    Args:
        values: r `[..., rows]`.
        base: rows of B by parameter, `[..., rows, numbers]` or outer products; one that is not there plays no part.
        codes: rows of C_k `[..., tasks, rows of a task, code]`, task by task, or None where codes play no part.
    """

    values: Tensor
    base: Mapping[str, Tensor | Outer]
    codes: Tensor | None = None

    def product(self, other: Rows) -> Tensor:
        """J J'^T `[..., rows, rows of the other]`."""
        *lead, size = self.values.shape
        total = self.values.new_zeros(*lead, size, other.values.shape[-1])
        for name, left in self.base.items():
            right = other.base.get(name)
            if isinstance(left, Outer) or isinstance(right, Outer):
                total = total if right is None else total.add_(_product(left, right))
            elif right is not None:
                total = total + left @ right.mT if lead else total.addmm_(left, right.mT)
        if self.codes is not None and other.codes is not None:
            blocks = self.codes @ other.codes.mT
            tasks, rows, columns = blocks.shape[-3:]
            view = total.view(*lead, tasks, rows, tasks, columns)
            view.diagonal(dim1=-4, dim2=-2).add_(blocks.movedim(-3, -1))
        return total

    def along(self, change: Change) -> Tensor:
        """J d `[..., rows]`."""
        total = torch.zeros_like(self.values)
        for name, rows in self.base.items():
            if name in change:
                along = rows.along(change[name]) if isinstance(rows, Outer) else _applied(rows, change[name])
                total = total + along
        if self.codes is not None and CODES in change:
            total = total + _applied(self.codes, change[CODES]).flatten(-2)
        return total

    def back(self, weights: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The parts of J^T a for a `[..., rows]`."""
        for name, rows in self.base.items():
            yield name, rows.back(weights) if isinstance(rows, Outer) else _applied(rows.mT, weights)
        if self.codes is not None:
            yield CODES, _applied(self.codes.mT, weights.unflatten(-1, self.codes.shape[-3:-1]))


def _product(left: Tensor | Outer, right: Tensor | Outer) -> Tensor:
    """Of rows with rows, where one or both are outer products."""
    if isinstance(right, Tensor):
        return _product(right, left).mT
    return left.product(right) if isinstance(left, Outer) else torch.stack([right.along(row) for row in left])


def _applied(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None])[..., 0]


@dataclass(frozen=True)
class LeastSquares:
    """One block of rows after another, and the sum of squares `[...]` of residuals that nothing moves."""

    blocks: Sequence[Rows]
    rest: Tensor | float = 0.0

    @property
    def values(self) -> Tensor:
        """r `[..., rows]`."""
        return torch.cat([block.values for block in self.blocks], dim=-1)

    def gram(self) -> Tensor:
        """J J^T `[..., rows, rows]`, the product of each pair of blocks taken once."""
        upper = {
            (i, j): one.product(other)
            for i, one in enumerate(self.blocks)
            for j, other in enumerate(self.blocks)
            if i <= j
        }
        count = range(len(self.blocks))
        lines = [[upper[i, j] if i <= j else upper[j, i].mT for j in count] for i in count]
        return torch.cat([torch.cat(line, dim=-1) for line in lines], dim=-2)

    def along(self, change: Change) -> Tensor:
        """J d `[..., rows]`; what the change does not name stays."""
        return torch.cat([block.along(change) for block in self.blocks], dim=-1)

    def back(self, weights: Tensor) -> Change:
        """J^T a for a `[..., rows]`."""
        change: Change = {}
        sizes = [block.values.shape[-1] for block in self.blocks]
        for block, part in zip(self.blocks, weights.split(sizes, dim=-1), strict=True):
            for name, summand in block.back(part):
                change[name] = change[name] + summand if name in change else summand
        return change
