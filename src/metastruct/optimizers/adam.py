"""Adam (Kingma and Ba 2015): every number moves by its mean gradient over the root of its mean square."""

from __future__ import annotations

import torch

from metastruct.optimizers.optimizer import Group, Optimizer


class Adam(Optimizer):
    """torch's fused Adam; its sparse form for codes.

    Args:
        rates: as of `Optimizer`.
        beta2: decay of the mean square.
    """

    def __init__(self, beta2: float, **rates: float):
        super().__init__(**rates)  # type: ignore[arg-type]
        self.betas = (0.9, float(beta2))  # torch refuses an integer beside a float

    def dense(self, groups: list[Group], replicas: int) -> torch.optim.Optimizer:
        return torch.optim.Adam(groups, betas=self.betas, fused=True)

    def sparse(self, group: Group) -> torch.optim.Optimizer:
        return torch.optim.SparseAdam([group], betas=self.betas)
