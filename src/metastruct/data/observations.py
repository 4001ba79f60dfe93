"""What a batch of tasks is judged by, as tensors.

Single points, or windows of consecutive samples of one trajectory, as the objective asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from operator import itemgetter

import torch
from torch import Tensor

PARTS = ("states", "derivatives", "inputs", "times")
ESTIMATED = (
    "noise",
    "derivative_noise",
    "smooth",
    "crude_law",
    "parameters",
)  # what follows from the others, where somebody asks for it


@dataclass(frozen=True)
class Observations:
    """Observations of a batch of tasks; the points of a window follow each other.

    Args:
        states: x `[..., tasks, points, state]`.
        derivatives: dx/dt of the same shape, or None where nobody knows it.
        inputs: u `[..., tasks, points, input]`, or None where nothing drives the members.
        times: t `[..., tasks, points, 1]` since the first instant of the trajectory, so that single precision holds
            them; None where nobody asks for them.
        noise: standard deviation of the errors of the states, as they; given, else estimated. None as of the times.
        derivative_noise: the same of the derivatives.
        smooth: the states, smoothed as that noise wants it. None as of the times.
        crude_law: df/dx `[..., tasks, points, state * state]` of a polynomial law of each member. None as of the times.
        parameters: the true mu of each task, the same at each point `[..., tasks, points, parameters]`. None as of the
            times.
        operator: what an objective made of all this, once and for all `[..., tasks, points, n]`, as `Objective.renewed`
            has it; None where it made nothing.
        mask: which points count `[..., tasks, points]`, or None where all do; the others fill up ragged tasks.
    """

    states: Tensor
    derivatives: Tensor | None = None
    inputs: Tensor | None = None
    times: Tensor | None = None
    noise: Tensor | None = None
    derivative_noise: Tensor | None = None
    smooth: Tensor | None = None
    crude_law: Tensor | None = None
    parameters: Tensor | None = None
    operator: Tensor | None = None
    mask: Tensor | None = None

    def __len__(self) -> int:
        return self.states.shape[-3]

    @property
    def count(self) -> int | Tensor:
        """Points of a task: one number for all, or `[..., tasks]`."""
        return self.states.shape[-2] if self.mask is None else self.mask.sum(-1)

    def to(self, place: torch.device | str | torch.dtype) -> Observations:
        """On another device, or in another precision."""
        numbers = isinstance(place, torch.dtype)
        return self.map(lambda values: values if numbers and not values.is_floating_point() else values.to(place))

    def of(self, tasks: Tensor | slice) -> Observations:
        """Those of some tasks, without a leading axis of replicas."""
        return self.map(lambda values: values[tasks])

    def at(self, points: Tensor) -> Observations:
        """Those at some points of each task, `[tasks, points]`."""
        return self.map(lambda values: values[torch.arange(len(points), device=points.device)[:, None], points])

    def portions(self, points: int) -> Iterator[Observations]:
        """So many points of each task at a time, without a leading axis of replicas."""
        for first in range(0, self.states.shape[-2], points):
            yield self.map(itemgetter((slice(None), slice(first, first + points))))

    def apart(self, window: int) -> Observations:
        """Every window of every task as a task of its own, in their order."""
        return self.map(lambda values: values.unflatten(1, (-1, window)).flatten(0, 1))

    def repeated(self, times: int) -> Observations:
        """All tasks, so many times one after another."""
        if len(self) == 1:
            return self.map(lambda values: values.expand(times, *values.shape[1:]))
        return self.map(lambda values: values.repeat(times, *[1] * (values.dim() - 1)))

    def map(self, function: Callable[[Tensor], Tensor]) -> Observations:
        """What a function makes of each part that is there."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: function(values) for name, values in parts.items() if values is not None})
