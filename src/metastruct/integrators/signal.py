"""Input signals u(t), known at instants: held from one to the next, or joined by straight lines."""

from __future__ import annotations

import torch
from torch import Tensor


class Signal:
    """u(t) for a batch of trajectories, piecewise constant or piecewise linear; before and after it stays as it is.

    A step of an integrator lies between two neighbouring instants. So the piece is chosen at the middle of the step: a
    stage at its end never sees the value after a jump, which would cost the scheme its order.

    Args:
        times: `[instants]`, increasing, or `[..., instants]` where every trajectory has its own, the last ones equal
            where it has ended.
        values: `[..., instants, input]`, whatever stands in front broadcasting against the trajectories.
        held: piecewise constant, u(t) = u_i for t_i <= t < t_i+1; else linear between the instants.
    """

    def __init__(self, times: Tensor, values: Tensor, held: bool = False):
        if values.shape[-2] != times.shape[-1] or (times.dim() > 1 and values.shape[:-1] != times.shape):
            raise ValueError(
                f"inputs must have the instants {list(times.shape)} of their times, got {list(values.shape[:-1])}"
            )
        self.times, self.values, self.held = times, values, held

    def at(self, begin: Tensor, length: Tensor, stage: float) -> Tensor:
        """u `[..., input]` at begin + stage * length, of a step from `begin` over `length`.

        Each is one number, or `[...]` where every trajectory has its own times.
        """
        if self.times.dim() > 1:
            return self._of_each(begin, length, stage)
        last = len(self.times) - 1
        piece = int(torch.searchsorted(self.times, begin + length / 2, right=True)) - 1
        if self.held or last == 0:
            return self.values[..., min(max(piece, 0), last), :]
        piece = min(max(piece, 0), last - 1)
        first, second = self.times[piece], self.times[piece + 1]
        share = ((begin + stage * length - first) / (second - first)).clamp(0, 1)
        return torch.lerp(self.values[..., piece, :], self.values[..., piece + 1, :], share)

    def _of_each(self, begin: Tensor, length: Tensor, stage: float) -> Tensor:
        last = self.times.shape[-1] - 1
        pieces = torch.searchsorted(self.times, (begin + length / 2)[..., None].contiguous(), right=True) - 1
        pieces = pieces.clamp(0, last if self.held else max(last - 1, 0))
        if self.held or last == 0:
            return self._value(pieces)
        first, second = self.times.gather(-1, pieces), self.times.gather(-1, pieces + 1)
        way = torch.where(second > first, second - first, 1.0)  # a trajectory that has ended takes no more of it
        share = (((begin + stage * length)[..., None] - first) / way).clamp(0, 1)
        return torch.lerp(self._value(pieces), self._value(pieces + 1), share)

    def _value(self, pieces: Tensor) -> Tensor:
        """The values `[..., input]` at instants of the numbers `[..., 1]`."""
        return self.values.take_along_dim(pieces[..., None], dim=-2).squeeze(-2)
