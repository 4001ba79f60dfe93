"""Means over points of functions whose tensors would be large, of so many points at a time that none is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Bytes of a tensor on a CPU: what is larger leaves the caches, and above 2^25 comes from the system anew each time.
LARGEST = 2**22
Mean = Callable[[Tensor, Tensor], tuple[Tensor, ...]]  # of tasks and points `[..., tasks, points]`


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


class Portions:
    """How a step looks at its points.

    Args:
        sample: a mean over points like those that will be asked for, whose tensors tell how large these get.
    """

    def __init__(self, sample: Mean):
        self.sample = sample
        self.each_point: int | None = None  # what one adds to the largest tensor, in bytes; not asked yet

    def mean(self, function: Mean, tasks: Tensor, points: Tensor) -> tuple[Tensor, ...]:
        """function(tasks, points), up to round-off.

        Args:
            tasks: numbers of the tasks, `[..., tasks]`.
            points: numbers of their points, `[..., tasks, points]`.
        """
        portion = self._portion(tasks, points)
        if portion >= points.shape[-1]:
            return function(tasks, points)
        first, *rest = points.split(portion, dim=-1)
        share = 1 / points.shape[-1]
        mean = tuple(torch._foreach_mul(function(tasks, first), share * portion))
        for part in rest:
            torch._foreach_add_(mean, function(tasks, part), alpha=share * part.shape[-1])
        return mean

    def _portion(self, tasks: Tensor, points: Tensor) -> int:
        """How many points of a task to look at at once; all of them on a GPU."""
        if points.is_cuda:
            return points.shape[-1]
        if self.each_point is None:
            one, two = (largest(self.sample, tasks, points[..., :count]) for count in (1, 2))
            self.each_point = two - one
        return max(1, LARGEST // max(1, self.each_point))
