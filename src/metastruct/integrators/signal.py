"""Input signals u(t), known at instants: held from one to the next, or joined by straight lines."""

from __future__ import annotations

import torch
from torch import Tensor


class Signal:
    """u(t) for a batch of trajectories, piecewise constant or piecewise linear; before and after it stays as it is.

    A step of an integrator lies between two neighbouring instants. So the piece is chosen at the middle of the step: a
    stage at its end never sees the value after a jump, which would cost the scheme its order.

    Args:
        times: `[instants]`, increasing.
        values: `[..., instants, input]`, whatever stands in front broadcasting against the trajectories.
        held: piecewise constant, u(t) = u_i for t_i <= t < t_i+1; else linear between the instants.
    """

    def __init__(self, times: Tensor, values: Tensor, held: bool = False):
        if values.shape[-2] != len(times):
            raise ValueError(f"inputs must have {len(times)} instants, as their times, got {values.shape[-2]}")
        self.times, self.values, self.held = times, values, held

    def at(self, begin: Tensor, length: Tensor, stage: float) -> Tensor:
        """u `[..., input]` at begin + stage * length, of a step from `begin` over `length`, each one number."""
        last = len(self.times) - 1
        piece = int(torch.searchsorted(self.times, begin + length / 2, right=True)) - 1
        if self.held or last == 0:
            return self.values[..., min(max(piece, 0), last), :]
        piece = min(max(piece, 0), last - 1)
        first, second = self.times[piece], self.times[piece + 1]
        share = ((begin + stage * length - first) / (second - first)).clamp(0, 1)
        return torch.lerp(self.values[..., piece, :], self.values[..., piece + 1, :], share)
