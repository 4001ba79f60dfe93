"""Where a fit begins: steps as large as Gauss-Newton's end in the nearest valley, which need not be the deepest.

The codes of the training tasks lie in every valley of the family. So a task begins at the most probable of its start
and of some of those codes, far from each other, judged by a few of its own observations whose misfit stands for that of
all of them.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.jacobian import Residual, portion
from metastruct.data.observations import Observations


def screened(residual: Residual, start: Tensor, prior: Prior, starts: int, count: int) -> Tensor:
    """For each task the most probable of its start and of some training codes, from about `count` of its points.

    Args:
        start: `[tasks, code]`.
        starts: how many training codes.
    """
    few, share = glimpse(residual.observations, residual.objective.window, count)
    tasks, points = few.states.shape[:2]
    candidates = torch.cat([start[None], prior.spread[:starts, None].expand(-1, tasks, -1)])
    misfits = []
    for codes in candidates.split(max(1, portion(start.device) // (tasks * points))):
        values = replace(residual, observations=few.repeated(len(codes)))(codes.flatten(0, 1))
        misfits.append((values * prior.weight(values)).square().sum(-1).unflatten(0, (len(codes), tasks)))
    offset = candidates - prior.mean
    cost = torch.cat(misfits) / share + (offset @ prior.precision * offset).sum(-1)
    best = cost.nan_to_num(nan=torch.inf).argmin(0)
    return candidates[best, torch.arange(tasks, device=start.device)]


def glimpse(observations: Observations, window: int, count: int) -> tuple[Observations, Tensor]:
    """About `count` points of each task, in windows spaced evenly over those that it has, and which share they are.

    What a task gives does not depend on the tasks beside it. One that has fewer windows gives all, and the rest is
    masked.
    """
    tasks, points = observations.states.shape[:2]
    device, windows = observations.states.device, points // window
    there = torch.ones(tasks, windows, dtype=torch.bool, device=device)
    if observations.mask is not None:
        there = observations.mask.unflatten(-1, (windows, window)).all(-1)
    available, amount = there.sum(-1, keepdim=True), min(-(-count // window), windows)
    counts = available.clamp(1, amount)
    number = torch.arange(amount, device=device)
    place = torch.minimum(number, counts - 1) * (available - 1) // (counts - 1).clamp(min=1)
    first = window * there.to(torch.uint8).argsort(dim=-1, descending=True, stable=True).gather(-1, place.clamp(min=0))
    few = observations.at((first[..., None] + torch.arange(window, device=device)).flatten(1))
    mask = (number < counts).repeat_interleave(window, -1)
    mask = mask if few.mask is None else mask & few.mask
    return replace(few, mask=None if observations.mask is None else mask), counts[:, 0] / available[:, 0].clamp(min=1)
