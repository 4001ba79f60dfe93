"""Lower triangular matrices from the numbers that a net gives for them: factors of masses and of frictions.

With K such a matrix, K K^T is never negative, whatever the numbers are; with a diagonal above zero it has an inverse.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

UNIT = 0.5413248546129181  # softplus of it is one
LEAST = 1e-2  # of a diagonal that must stay above zero


class Triangular(torch.nn.Module):
    """K `[..., size, size]` and its products from numbers `[..., entries]`, the diagonal first.

    Its products with vectors are taken by entry, (K v)_i = sum_e [i = row of e] K_e v_(column of e): the half that is
    zero plays no part.

    Args:
        size: of the matrix.
        diagonal: is it zero everywhere else?
        definite: is its diagonal softplus of the numbers, above zero and about one? Else it is the numbers.
    """

    place: Tensor  # [entries, size * size], where each number stands

    def __init__(self, size: int, diagonal: bool = False, definite: bool = False):
        super().__init__()
        self.size, self.diagonal, self.definite = size, diagonal, definite
        rows, columns = torch.tril_indices(size, size, -1)
        both = torch.arange(size)
        if not diagonal:
            rows, columns = torch.cat([both, rows]), torch.cat([both, columns])
        else:
            rows = columns = both
        self.entries = len(rows)
        place = torch.zeros(self.entries, size * size)
        place[torch.arange(self.entries), rows * size + columns] = 1.0
        self.register_buffer("place", place)

    @property
    def row(self) -> Tensor:
        """Which each entry is in `[entries, size]`."""
        return self.place.unflatten(1, (self.size, self.size)).sum(2)

    @property
    def column(self) -> Tensor:
        """Which each entry is in `[entries, size]`."""
        return self.place.unflatten(1, (self.size, self.size)).sum(1)

    def forward(self, numbers: Tensor) -> Tensor:
        """K."""
        return self.square(self.of(numbers))

    def of(self, numbers: Tensor) -> Tensor:
        """The entries of K `[..., entries]`."""
        if not self.definite:
            return numbers
        diagonal, rest = numbers.split([self.size, self.entries - self.size], dim=-1)
        return torch.cat([softplus(diagonal + UNIT) + LEAST, rest], dim=-1)

    def square(self, entries: Tensor) -> Tensor:
        """K from its entries."""
        return (entries @ self.place).unflatten(-1, (self.size, self.size))

    def times(self, entries: Tensor, vector: Tensor) -> Tensor:
        """K v `[..., size]`."""
        return (entries * (vector @ self.column.mT)) @ self.row

    def transposed(self, entries: Tensor, vector: Tensor) -> Tensor:
        """K^T v `[..., size]`."""
        return (entries * (vector @ self.row.mT)) @ self.column

    def along(self, numbers: Tensor, change: Tensor) -> Tensor:
        """The change of the entries of K with that of its numbers."""
        return self._sloped(numbers, change)

    def back(self, numbers: Tensor, left: Tensor, right: Tensor) -> Tensor:
        """d(left^T K right)/d numbers `[..., entries]`, of vectors `[..., size]`."""
        return self._sloped(numbers, (left @ self.row.mT) * (right @ self.column.mT))

    def _sloped(self, numbers: Tensor, change: Tensor) -> Tensor:
        """A change of the numbers times the slope of the entries."""
        if not self.definite:
            return change
        parts = self.size, self.entries - self.size
        (diagonal, _), (first, rest) = numbers.split(parts, dim=-1), change.split(parts, dim=-1)
        return torch.cat([torch.sigmoid(diagonal + UNIT) * first, rest], dim=-1)


def times(matrix: Tensor, vector: Tensor) -> Tensor:
    """The product `[..., rows]`."""
    return (matrix * vector[..., None, :]).sum(-1)


def factor_of(matrix: Tensor) -> Tensor:
    """K `[..., size, size]` with K K^T = matrix, which is symmetric and above zero; column by column as in `solved`."""
    columns = list[Tensor]()
    for j in range(matrix.shape[-1]):
        rest = matrix[..., j:, j]
        for column in columns:
            rest = rest - column[..., j:] * column[..., j, None]
        column = rest / rest[..., :1].sqrt()
        columns.append(torch.cat([torch.zeros_like(matrix[..., :j, j]), column], dim=-1))
    return torch.stack(columns, dim=-1)


def solved(factor: Tensor, right: Tensor) -> Tensor:
    """(K K^T)^-1 right `[..., size]` by substitution forth and back, column by column.

    The matrices are small and many: a routine of LAPACK would be called once for each.
    """
    columns, rows = factor.unbind(-1), factor.unbind(-2)  # once: the gradient of a part is as large as what it is of
    size, rest, parts = right.shape[-1], right, list[Tensor]()
    for j in range(size):
        parts.append(rest[..., :1] / columns[j][..., j, None])
        rest = rest[..., 1:] - columns[j][..., j + 1 :] * parts[-1]
    rest, solution = torch.cat(parts, dim=-1), list[Tensor]()
    for j in reversed(range(size)):
        solution.append(rest[..., -1:] / rows[j][..., j, None])
        rest = rest[..., :-1] - rows[j][..., :j] * solution[-1]
    return torch.cat(solution[::-1], dim=-1)
