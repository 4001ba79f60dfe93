"""How a training steps along its gradients: rates that fall along half a cosine after a linear warm-up.

An optimizer of sums of squares may ask for the residuals of a batch in the place of a gradient.

Two kinds of numbers are moved, each at a rate of its own: the base, which is what all tasks share (nets, bases,
hyper-network), and the codes, one row a task. Codes that are not in the batch of a step stay where they are: a rule
with a memory of its own would move them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Size, Tensor, nn
from torch import optim as torch_optim

if TYPE_CHECKING:
    from metastruct.optimizers.residuals import Residuals

Group = dict[str, Any]


class Optimizer(ABC):
    """A first-order rule and its rates.

    Args:
        base_rate: first rate of the base.
        code_rate: first rate of the codes.
        warmup: outer steps of a linear warm-up.
    """

    def __init__(self, base_rate: float, code_rate: float, warmup: int = 0):
        self.base_rate, self.code_rate, self.warmup = base_rate, code_rate, warmup

    @abstractmethod
    def dense(self, groups: list[Group], replicas: int) -> torch_optim.Optimizer:
        """The rule for parameters whose every number has a gradient; the first `replicas` axes of each are of seeds."""

    @abstractmethod
    def sparse(self, group: Group) -> torch_optim.Optimizer:
        """The rule for codes of which only some rows have a gradient, a sparse tensor; the others must not move."""

    def over(
        self, base: Sequence[nn.Parameter], codes: nn.Parameter | None = None, lazy: bool = False, replicas: int = 0
    ) -> list[torch_optim.Optimizer]:
        """What makes the steps of a training.

        Args:
            base: what all tasks share.
            codes: of the training tasks `[..., tasks, code]`, where a learner keeps any.
            lazy: do the codes get sparse gradients, of the tasks of a batch?
            replicas: leading axes of seeds.
        """
        groups = [{"params": list(base), "rate": self.base_rate, "lr": self.base_rate}]
        if codes is None:
            return [self.dense(groups, replicas)]
        code_group = {"params": [codes], "rate": self.code_rate, "lr": self.code_rate}
        return (
            [self.dense(groups, replicas), self.sparse(code_group)]
            if lazy
            else [self.dense([*groups, code_group], replicas)]
        )

    @property
    def share_by_residuals(self) -> float:
        """How many of all outer steps are `by_residuals`."""
        return 0.0

    def by_residuals(self, step: int, steps: int) -> bool:
        """Does this outer step solve for the residuals of its batch, in the place of following a gradient?"""
        return False

    def solve(self, rules: Sequence[torch_optim.Optimizer], residuals: Residuals, step: int, steps: int) -> Tensor:
        """One such step; returns the loss of the batch before it, `[...]`, detached."""
        raise NotImplementedError(f"{type(self).__name__} follows gradients")

    def factor(self, step: int, steps: int) -> float:
        """A rate at an outer step over its first value."""
        return min(1.0, (step + 1) / (self.warmup + 1)) * (1 + math.cos(math.pi * step / steps)) / 2

    def anneal(self, rules: Sequence[torch_optim.Optimizer], step: int, steps: int) -> None:
        """Set the rates of an outer step; a group with `constant` keeps its own."""
        factor = self.factor(step, steps)
        for rule in rules:
            for group in rule.param_groups:
                group["lr"] = group["rate"] * (1.0 if group.get("constant") else factor)


def stacks(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Parameters with a gradient, those of one shape together."""
    by_shape: dict[Size, list[nn.Parameter]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            by_shape.setdefault(parameter.shape, []).append(parameter)
    return [*by_shape.values()]
