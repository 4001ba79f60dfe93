"""From a flow and starts to trajectories."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import MOST_STEPS, Integrator
from metastruct.integrators.iteration import told_once

FIX = "raise trainer.work"


def _to_nobody(count: int, most: int) -> None:
    pass


@torch.no_grad()
def rollout(
    flow: Flow,
    starts: Tensor,
    times: Tensor,
    integrator: Integrator,
    work: float = 1.0,
    fix: str = FIX,
    tell: Callable[[int, int], None] = _to_nobody,
) -> Tensor:
    """States `[tasks, points, instants, state]` at `times`, from starts `[tasks, points, state]` at the first of them.

    A trajectory that leaves the finite numbers stays NaN or infinite from there on; the others of the batch are not
    touched by it. Steps of a driven flow end where its inputs have an instant. Steps that an implicit scheme did not
    solve are told once, by a warning.

    Args:
        integrator: its `step_size` is in units of the flow's time scale.
        times: `[instants]`, or `[tasks, points, instants]` where every trajectory has its own; equal ones follow each
            other where a trajectory has ended.
        work: times the usual million steps that it may take.
        fix: how somebody raises that.
        tell: is told at each instant how many there were, and how many there are.

    Raises:
        ValueError: trajectories of different times are driven by inputs at other instants than these, or there are more
            than a million steps, times `work`.
    """
    check_steps(times, integrator, flow.time_scale, work, fix)
    if times.dim() > 1 and flow.inputs is not None and not torch.equal(flow.inputs.times, times):
        raise ValueError(
            "trajectories with times of their own need inputs at the same times, got "
            f"{list(flow.inputs.times.shape)} instants for {list(times.shape)}; interpolate the inputs"
        )
    with told_once():
        return (_ragged if times.dim() > 1 else _together)(flow, starts, times, integrator, tell)


def _together(
    flow: Flow, starts: Tensor, times: Tensor, integrator: Integrator, tell: Callable[[int, int], None]
) -> Tensor:
    """The same steps for all trajectories."""
    x, states, now = starts, [starts], times[0]
    for stop in times[1:]:
        for begin, length in _stretches(flow, now, stop):
            steps = integrator.steps(float(length) / flow.time_scale)
            for number in range(steps):
                h = length / steps
                current = flow if flow.inputs is None else flow.during(begin + number * h, h)
                x = integrator.step(current, x, h)
        states.append(x)
        tell(len(states), len(times))
        now = stop
    return torch.stack(states, dim=-2)


def check_steps(
    times: Tensor, integrator: Integrator, time_scale: float = 1.0, work: float = 1.0, fix: str = FIX
) -> None:
    """Refuse times `[..., instants]` that nobody waits for.

    Raises:
        ValueError: they take more than a million steps, times `work`; `fix` says how somebody raises that.
    """
    intervals = times.diff(dim=-1).flatten(0, -2).amax(0) if times.dim() > 1 else times.diff()
    steps = float((intervals / (integrator.step_size * time_scale)).clamp(min=1).sum())
    limit = int(MOST_STEPS * work)
    if not steps <= limit:
        raise ValueError(
            f"a rollout may take at most {limit:,} steps, got {float(intervals.sum()):g} of time in steps of "
            f"{integrator.step_size * time_scale:g}; ask for less time, for a larger integrator.step_size, or {fix}"
        )


def _stretches(flow: Flow, now: Tensor, stop: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The way from `now` to `stop`, cut at the instants of the inputs: where each part begins, and its length."""
    if flow.inputs is None:
        return [(now, stop - now)]
    instants = flow.inputs.times
    ends = [now, *instants[(instants > now) & (instants < stop)], stop]
    return [(first, last - first) for first, last in pairwise(ends)]


def _ragged(
    flow: Flow, starts: Tensor, times: Tensor, integrator: Integrator, tell: Callable[[int, int], None]
) -> Tensor:
    """As many steps for all trajectories as the longest of their intervals wants, each of a length of its own."""
    x, states = starts, [starts]
    for now, interval in zip(times.unbind(-1), times.diff(dim=-1).unbind(-1), strict=False):
        steps = integrator.steps(float(interval.max()) / flow.time_scale)
        for number in range(steps):
            h = interval / steps
            x = integrator.step(flow.during(now + number * h, h), x, h[..., None])
        states.append(x)
        tell(len(states), times.shape[-1])
    return torch.stack(states, dim=-2)
