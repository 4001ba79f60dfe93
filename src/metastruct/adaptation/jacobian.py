"""Derivatives of a function of the codes in forward mode: one pass for each direction of the code, all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]  # codes [tasks, code] -> values [tasks, ...], no task aware of another's code


def with_jacobian(function: Function, codes: Tensor) -> tuple[Tensor, Tensor]:
    """The values `[tasks, ...]` at codes `[tasks, code]` and their derivatives `[tasks, ..., code]`, both detached."""
    codes = codes.detach()
    directions = torch.eye(codes.shape[-1], dtype=codes.dtype, device=codes.device)[:, None].expand(-1, *codes.shape)

    def along(direction: Tensor) -> Any:
        return torch.func.jvp(function, (codes,), (direction,))

    with torch.no_grad():
        values, columns = torch.vmap(along, out_dims=(None, -1))(directions)  # type: ignore[arg-type]
    return values, columns
