"""The matrix products that everything is made of.

Activations are *rows* `[..., tasks * points, features]`, tasks outermost, so that a matrix shared by all tasks takes
one large product. What differs between tasks looks at the same memory as `[..., tasks, points, features]`. A leading
axis of replicas in front of everything turns each product into a batched one and costs the callers nothing.

Outside of autograd's sight, sums are gathered in place: cold memory is what a small net's step is made of.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def by_task(rows: Tensor, tasks: int) -> Tensor:
    """Rows `[..., tasks * points, n]` seen as `[..., tasks, points, n]`."""
    return rows.unflatten(-2, (tasks, -1))


def to_rows(values: Tensor) -> Tensor:
    """`[..., tasks, points, n]` seen as rows."""
    return values.flatten(-3, -2)


def spread(values: Tensor, rows: int) -> Tensor:
    """One value a task, `[..., tasks, n]`, repeated for each of its points, as fresh rows `[..., rows, n]`."""
    tasks, n = values.shape[-2:]
    repeated = values[..., None, :].expand(*values.shape[:-1], rows // tasks, n)
    return to_rows(repeated.clone(memory_format=torch.contiguous_format))  # reshape would not copy where tasks = 1


def gathered(total: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """total + left @ right; a total that autograd does not watch is used up."""
    if torch.is_grad_enabled():
        return torch.addmm(total, left, right) if left.dim() == 2 else total + left @ right
    return total.addmm_(left, right) if left.dim() == 2 else total.baddbmm_(left, right)


def sum_of(terms: Sequence[Tensor]) -> Tensor:
    """Sum of fresh tensors of one shape, gathered in the first."""
    total, *others = terms
    for other in others:
        total += other
    return total
