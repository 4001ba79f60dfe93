"""Adam with an exponential average of its iterates (Polyak and Juditsky 1992; Morales-Brotons et al. 2024).

    mean <- d mean + (1 - d) x,  d = min(decay, (1 + n)/(10 + n)) after n steps

A training ends at the mean, whose noise is that of many batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from metastruct.optimizers.adam import Adam, FusedAdam
from metastruct.optimizers.optimizer import Group


class AdamEMA(Adam):
    """Adam's steps, of which the last one goes to the mean of all. Codes of learners that draw few tasks have none.

    Args:
        decay: of the mean; it holds about 1/(1 - decay) iterates.
        adam: as of `Adam`.
    """

    def __init__(self, decay: float, **adam: float):
        super().__init__(**adam)
        self.decay = decay

    def dense(self, groups: list[Group], replicas: int) -> torch.optim.Optimizer:
        return Averaged([group | {"decay": self.decay} for group in groups], betas=self.betas, fused=True)

    def anneal(self, rules: Sequence[torch.optim.Optimizer], step: int, steps: int) -> None:
        super().anneal(rules, step, steps)
        for rule in rules:
            for group in rule.param_groups:
                group["step"], group["last"] = step, step + 1 == steps


class Averaged(FusedAdam):
    """The rule above; of a group, `step` is its number, and `last` says whether it is the last one."""

    def move(self, group: Group, moved: list[Any]) -> None:
        super().move(group, moved)
        means = [self.state[parameter].setdefault("mean", parameter.detach().clone()) for parameter in moved]
        number = group.get("step", 0)
        torch._foreach_lerp_(means, moved, 1 - min(group["decay"], (1 + number) / (10 + number)))
        if group.get("last"):
            torch._foreach_copy_(moved, means)
