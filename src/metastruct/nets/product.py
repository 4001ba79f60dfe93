"""The two matrix products that everything is made of.

Activations are `[..., tasks, points, features]`. A *shared* matrix is the same for all tasks, so tasks and points fold
into one large product; a *task* matrix differs between tasks, so the product is batched over them. A leading axis of
replicas in front of everything turns the first into a batched product and costs the callers nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor


def shared_product(h: Tensor, matrix: Tensor, plus: Tensor | None = None) -> Tensor:
    """h @ matrix (+ plus): h `[..., tasks, points, n]`, matrix `[..., n, m]`, plus broadcastable to the result."""
    rows = h.flatten(-3, -2)
    if plus is None:
        product = rows @ matrix
    elif plus.dim() == 1 and matrix.dim() == 2:
        product = torch.addmm(plus, rows, matrix)
    else:
        plus = plus.expand(*h.shape[:-1], matrix.shape[-1]).flatten(-3, -2)
        product = torch.addmm(plus, rows, matrix) if matrix.dim() == 2 else torch.baddbmm(plus, rows, matrix)
    return product.unflatten(-2, h.shape[-3:-1])


def task_product(h: Tensor, matrices: Tensor, plus: Tensor | None = None) -> Tensor:
    """h @ matrices (+ plus): h `[..., tasks, points, n]`, matrices `[..., tasks, n, m]`, plus broadcastable."""
    if plus is None:
        return h @ matrices
    if h.dim() == 3:
        return torch.baddbmm(plus, h, matrices)
    plus = plus.expand(*h.shape[:-1], matrices.shape[-1])
    product = torch.baddbmm(plus.flatten(0, -3), h.flatten(0, -3), matrices.flatten(0, -3))
    return product.unflatten(0, h.shape[:-2])
