"""Plain gradient steps; of learner=reptile, whose gradient is the mean way that its inner steps went."""

from __future__ import annotations

import torch

from metastruct.optimizers.optimizer import Group, Optimizer


class SGD(Optimizer):
    """x - rate * gradient, without momentum, so that what has no gradient does not move."""

    def dense(self, groups: list[Group], replicas: int) -> torch.optim.Optimizer:
        return torch.optim.SGD(groups)

    def sparse(self, group: Group) -> torch.optim.Optimizer:
        return torch.optim.SGD([group])
