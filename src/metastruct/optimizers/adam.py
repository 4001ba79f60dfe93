"""Adam (Kingma and Ba 2015): every number moves by its mean gradient over the root of its mean square."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
        return FusedAdam(groups, betas=self.betas, fused=True)

    def sparse(self, group: Group) -> torch.optim.Optimizer:
        return torch.optim.SparseAdam([group], betas=self.betas)


class FusedAdam(torch.optim.Adam):
    """torch's Adam at once for all parameters of a group, which lie on one device.

    The same numbers: torch sorts parameters by device and precision at every step, which takes as long as half a step
    of a small net. Parameters that begin together step together, and share a count of their steps: to count for each
    takes longer than to move all of them.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step, of all parameters at once."""
        for group in self.param_groups:
            if moved := [parameter for parameter in group["params"] if parameter.grad is not None]:
                self.move(group, moved)

    step.hooked = True  # type: ignore[attr-defined]  # else torch tells its profiler of each, for as long as a step takes

    def move(self, group: Group, moved: list[Any]) -> None:
        """One step of some parameters of a group, which have a gradient."""
        states = [self.state[parameter] for parameter in moved]
        if fresh := [state for state in states if not state]:
            self._init_group(group | {"params": moved}, *([] for _ in range(6)))
            for state in fresh:
                state["step"] = fresh[0]["step"]
        steps = [state["step"] for state in states]
        for count in {step.data_ptr(): step for step in steps}.values():
            count += 1
        torch._fused_adam_(
            moved,
            [parameter.grad for parameter in moved],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=group["maximize"],
        )
