"""The matrix products that everything is made of.

Activations are *rows* `[..., tasks * points, features]`, tasks outermost, so that a matrix shared by all tasks takes
one large product. What differs between tasks looks at the same memory as `[..., tasks, points, features]`. A leading
axis of replicas in front of everything turns each product into a batched one and costs the callers nothing.
"""

from __future__ import annotations

from torch import Tensor


def by_task(rows: Tensor, tasks: int) -> Tensor:
    """Rows `[..., tasks * points, n]` seen as `[..., tasks, points, n]`."""
    return rows.unflatten(-2, (tasks, -1))


def to_rows(values: Tensor) -> Tensor:
    """`[..., tasks, points, n]` seen as rows."""
    return values.flatten(-3, -2)


def plus_product(total: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """total + left @ right, gathered in `total`, a fresh tensor that nothing else needs."""
    if left.dim() == right.dim() == 2:
        return total.addmm_(left, right)
    if left.dim() == right.dim() == 3:
        return total.baddbmm_(left, right)
    return total + left @ right


def plus_offset(rows: Tensor, offset: Tensor | None) -> Tensor:
    """Rows plus the offset of each task, `[..., tasks, n]`, or of all, `[..., 1, n]`; None adds nothing."""
    if offset is None:
        return rows
    if offset.shape[-2] == 1:
        return rows + offset
    return to_rows(by_task(rows, offset.shape[-2]) + offset[..., None, :])
