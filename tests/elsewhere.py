"""A second device without hardware: tensors that say that they are on "meta" and compute on the CPU.

An operation on tensors of both places is refused as CUDA refuses it, but for single numbers and for indices; what is
made without a device lands on the CPU, as it would.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

ELSEWHERE = torch.device("meta")  # the only one but the CPU that every build of torch has
MOVES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default, torch.ops.aten._local_scalar_dense.default}
INDEXES = {torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default, torch.ops.aten.index_put.default}


class There(Tensor):
    """Numbers of the CPU that say that they are elsewhere."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> There:
        made: There = Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), dtype=inner.dtype, device=ELSEWHERE
        )
        made.inner = inner
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"There({self.inner})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return Elsewhere().__torch_dispatch__(func, types, args, kwargs)


class Elsewhere(TorchDispatchMode):
    """Makes the second device known: `with Elsewhere(): tensor.to(ELSEWHERE)`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
        if func in INDEXES:
            tensors = [leaf for leaf in (args[0], *args[2:]) if isinstance(leaf, Tensor)]
        away = [one for one in tensors if isinstance(one, There)]
        here = [one for one in tensors if not isinstance(one, There) and one.dim()]
        if away and here and func not in MOVES:
            raise RuntimeError(f"Expected all tensors to be on the same device, but {func} found two")
        target = kwargs.get("device")
        if target is not None:
            kwargs["device"] = torch.device("cpu")
        there = bool(away) if target is None else torch.device(target).type == ELSEWHERE.type
        if func is torch.ops.aten.copy_.default:
            there = isinstance(args[0], There)
        plain = tree_map(lambda leaf: leaf.inner if isinstance(leaf, There) else leaf, (args, kwargs))
        result = func(*plain[0], **plain[1])
        inplace = args and isinstance(args[0], Tensor) and result is plain[0][0]
        if inplace:
            return args[0]
        return tree_map(lambda leaf: There(leaf) if there and isinstance(leaf, Tensor) else leaf, result)
