"""A few of the points of each task, in windows spaced evenly over those that it has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from metastruct.data.observations import Observations


def glimpse(observations: Observations, window: int, count: int) -> tuple[Observations, Tensor]:
    """About `count` points of each task, in windows as they are laid, and which share of the task they are.

    What a task gives does not depend on the tasks beside it. One that has fewer windows gives all, and the rest is
    masked.
    """
    tasks, points = observations.states.shape[:2]
    whole = torch.ones(tasks, points // window, dtype=torch.bool, device=observations.states.device)
    if observations.mask is not None:
        whole = observations.mask.unflatten(-1, (-1, window)).all(-1)
    return spread_out(observations, window * torch.arange(points // window, device=whole.device), whole, window, count)


def spread_out(
    observations: Observations, firsts: Tensor, whole: Tensor, window: int, count: int
) -> tuple[Observations, Tensor]:
    """The same of windows that begin at the points `firsts` `[windows]`, where they are whole `[tasks, windows]`."""
    available, amount = whole.sum(-1, keepdim=True), min(-(-count // window), len(firsts))
    counts = available.clamp(1, amount)
    number = torch.arange(amount, device=firsts.device)
    place = torch.minimum(number, counts - 1) * (available - 1) // (counts - 1).clamp(min=1)
    first = firsts[whole.to(torch.uint8).argsort(dim=-1, descending=True, stable=True).gather(-1, place.clamp(min=0))]
    few = observations.at((first[..., None] + torch.arange(window, device=firsts.device)).flatten(1))
    mask = (number < counts).repeat_interleave(window, -1)
    mask = mask if few.mask is None else mask & few.mask
    return replace(few, mask=None if observations.mask is None else mask), counts[:, 0] / available[:, 0].clamp(min=1)
