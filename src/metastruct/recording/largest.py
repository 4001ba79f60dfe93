"""The largest tensor that a function makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Largest(TorchDispatchMode):
    """Sees the result of each operation, those of derivatives among them."""

    size = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() * leaf.element_size() for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        self.size = max(self.size, *sizes, 0)
        return result


def largest(function: Callable[..., Any], *arguments: Any) -> int:
    """Bytes of the largest tensor of a call."""
    with _Largest() as watch:
        function(*arguments)
    return watch.size
