"""Where a fit begins: steps as large as Gauss-Newton's end in the nearest valley, which need not be the deepest.

The codes of the training tasks lie in every valley of the family. So a task begins at the most probable of its start
and of some of those codes, far from each other, judged by a few of its own observations whose misfit stands for that of
all of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.jacobian import Residual, portion


def screened(residual: Residual, start: Tensor, prior: Prior, starts: int, count: int) -> Tensor:
    """For each task the most probable of its start and of some training codes, from about `count` of its points.

    Args:
        start: `[tasks, code]`.
        starts: how many training codes.
    """
    objective, few, share = residual.objective.glimpse(residual.observations, count)
    few = objective.renewed(residual.model, few, start)
    tasks, points = few.states.shape[:2]
    candidates = torch.cat([start[None], prior.spread[:starts, None].expand(-1, tasks, -1)])
    misfits = []
    for codes in candidates.split(max(1, portion(start.device) // (tasks * points))):
        values = Residual(residual.model, objective, few.repeated(len(codes)))(codes.flatten(0, 1))
        misfits.append((values * prior.weight(values)).square().sum(-1).unflatten(0, (len(codes), tasks)))
    offset = candidates - prior.mean
    cost = torch.cat(misfits) / share + (offset @ prior.precision * offset).sum(-1)
    best = cost.nan_to_num(nan=torch.inf).argmin(0)
    return candidates[best, torch.arange(tasks, device=start.device)]
