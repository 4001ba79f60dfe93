"""How far a field errs from sample to sample, where a test function sees no more than the mean over its support.

The error of a field along a trajectory, averaged over a time h, has the variance v(h) ~ v(0) exp(-c h^2) as long as h
is short. From a state the model goes on to the next one and to the one after it: what these miss over the time is v at
h and at 2 h, so

    v(0) = v(h) (v(h) / v(2 h))^(1/3).

Where the errors of the observations are the larger part of either, they say nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from metastruct.data.shots import support
from metastruct.objectives.rollout import Rollout

if TYPE_CHECKING:
    from metastruct.data.recordings import Recordings
    from metastruct.dynamics.model import ModulatedModel

SHOTS, TASKS = 2000, 5  # points of a member that are looked at, and members at a time
SMALLEST = 1e-9  # misfit of the rollouts, which weighs nothing here


@torch.no_grad()
def slope_errors(model: ModulatedModel, recordings: Recordings, codes: Tensor) -> Tensor:
    """v(0) `[state]` in units of the variance of dx/dt, of members with codes `[tasks, code]`; zero below noise."""
    rollouts = Rollout(3, None, "observed", SMALLEST).settled(recordings)
    nothing = torch.zeros_like(model.dynamics.derivative_std)
    if rollouts.window < 3:
        return nothing
    every = support(recordings.members, SHOTS, 0, rollouts.request, sample=True)
    sums = torch.zeros(3, 2, *nothing.shape, dtype=torch.float64)  # squares, noise and windows, of one and two steps
    for tasks in torch.arange(len(codes)).split(TASKS):
        observed = every.of(tasks)
        assert observed.times is not None
        assert observed.noise is not None
        squares = rollouts.unexplained(model, observed, codes[tasks]).unflatten(-1, (-1, 3, len(nothing)))[..., 1:, :]
        squares = squares * model.dynamics.state_std.square()
        times, noise = (part.unflatten(-2, (-1, 3)) for part in (observed.times, observed.noise))
        there = torch.ones_like(times) if observed.mask is None else observed.mask.unflatten(-1, (-1, 3))[..., None]
        there = (there[..., 1:, :] > 0) & (times[..., 1:, :] > times[..., :1, :])
        spread = (times[..., 1:, :] - times[..., :1, :]) * model.dynamics.derivative_std
        errors = noise[..., 1:, :].square()  # of the start; that of the end is taken off already
        parts = (squares - errors, 2 * errors, spread.square())
        for total, part in zip(sums, parts, strict=True):
            total += torch.where(there, part / spread.square(), 0.0).sum((0, 1))
    (one, two), noise = (sums[:2] / sums[2].clamp_min(1)).unbind()
    shown = (one > noise[0]) & (two > noise[1])
    return torch.where(shown, one * (one / torch.where(shown, two, 1.0)).pow(1 / 3), 0.0)
