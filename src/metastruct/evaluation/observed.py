"""Adapted members against what was seen of them, where nobody knows the law: noise, steps, fitted starts, bands.

A query begins at an observation, which is as noisy as the others. A forecast from there says what a user gets; the
residuals of the best start say what the member explains, for those of a true member are the noise alone.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from metastruct.config.work import work
from metastruct.data.noise_level import noise_level
from metastruct.dynamics.folded import folded
from metastruct.evaluation.fitted import Array
from metastruct.evaluation.forecast import state_std
from metastruct.evaluation.rolled_out import RolledOut
from metastruct.integrators.rollout import rollout
from metastruct.integrators.signal import Signal

ROUNDS = 4  # of Gauss-Newton over the starts
MOVED = 1e-4  # of the spread of a component, to find the slope of a trajectory by its start


class Observed(RolledOut):
    """Values along trajectories are `[tasks, trajectories, times, state]`; NaN where a query was not seen."""

    @cached_property
    def noise(self) -> Array:
        """Standard deviation of the errors of each component `[state]`, of all that is seen; NaN where nobody knows."""
        members = (*self.source.train, *self.source.test)
        return noise_level([one for member in members for one in member.trajectories])

    @cached_property
    def spread(self) -> Array:
        """As of the source."""
        return self.source.spread

    @cached_property
    def forecast_std(self) -> Array:
        """Of the errors of the rollouts and of the observations they are compared with, in one."""
        prior = self._prior
        noise = np.nan_to_num(self.noise)
        with self._clock("rollouts"):
            band = state_std(
                self.learned.model,
                self.fit,
                prior,
                self._tensor(self.starts),
                self._tensor(self.times),
                self.integrator.step_size,
                self._signal,
                self._tensor(noise),
            )
        return np.hypot(band.cpu().numpy(), noise)

    @cached_property
    def steps(self) -> tuple[Array, Array]:
        """From each observation to the next: where the member goes, and where it went, both less where it was."""
        query, times = self.query, np.broadcast_to(self.times, self.query.shape[:-1])
        here, signal = np.where(np.isnan(query), self.starts[:, :, None], query)[:, :, :-1], self._signal
        ends = np.stack([times[..., :-1], times[..., 1:]], -1).reshape(len(query), -1, 2)
        if signal is not None:
            values = np.stack([self._query.inputs[..., :-1, :], self._query.inputs[..., 1:, :]], -2)  # type: ignore[index]
            values = values.reshape(*ends.shape, -1)
            signal = Signal(self._tensor(ends), self._tensor(values), self.source.held_inputs)
        flow = self.learned.model.dynamics.flow(folded(self.updates, self.learned.model.dynamics), signal)
        starts = self._tensor(here.reshape(len(query), -1, query.shape[-1]))
        with self._clock("rollouts"):
            after = rollout(flow, starts, self._tensor(ends), self.integrator, work())[:, :, -1].cpu().numpy()
        return after.reshape(here.shape) - here, query[:, :, 1:] - here

    @cached_property
    def residuals(self) -> Array:
        """Observations less the trajectory whose start fits them best, by Gauss-Newton in units of the spread."""
        unit, finite = self._tensor(self.spread), ~np.isnan(self.query)
        target = self._tensor(np.where(finite, self.query, 0.0)) / unit
        weight = self._tensor(finite.astype(float))
        starts = self._tensor(self.starts)
        residual, slopes = self._around(starts, target, weight)
        for _ in range(ROUNDS):
            curvature = torch.einsum("tpisk,tpisl->tpkl", slopes, slopes)
            curvature = curvature + 1e-10 * (1 + curvature.diagonal(dim1=-2, dim2=-1).sum(-1))[..., None, None] * (
                torch.eye(len(unit), dtype=unit.dtype, device=unit.device)
            )
            gradient = torch.einsum("tpisk,tpis->tpk", slopes, residual)
            move = torch.linalg.solve(*_finite(curvature, gradient)) * unit
            after, changed = self._around(starts + move, target, weight)
            better = after.square().sum((-2, -1)) < residual.square().sum((-2, -1))
            starts = torch.where(better[..., None], starts + move, starts)
            residual = torch.where(better[..., None, None], after, residual)
            slopes = torch.where(better[..., None, None, None], changed, slopes)
        return np.where(finite, (residual * unit).cpu().numpy(), np.nan)

    def _around(self, starts: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Residuals in units of the spread, and slopes of trajectories by their starts `[..., state, state]`."""
        size, unit = starts.shape[-1], self._tensor(self.spread)
        moves = torch.cat([torch.zeros_like(unit)[None], MOVED * torch.diag(unit), -MOVED * torch.diag(unit)])
        several = (starts[:, None] + moves[:, None]).flatten(1, 2)  # [tasks, moves x trajectories, state]
        times, signal = self._tensor(self.times), self._signal
        if times.dim() > 1:
            times = times.repeat(1, len(moves), 1)
        if signal is not None:
            signal = Signal(times, signal.values.repeat(1, len(moves), 1, 1), signal.held)
        dynamics = self.learned.model.dynamics
        with self._clock("rollouts"):
            flow = dynamics.flow(folded(self.updates, dynamics), signal)
            paths = rollout(flow, several, times, self.integrator, work())
        centre, *ends = (paths / unit).unflatten(1, (len(moves), -1)).unbind(1)
        slopes = [(ends[k] - ends[size + k]) / (2 * MOVED) for k in range(size)]
        return (target - centre) * weight, torch.stack(slopes, -1) * weight[..., None]


def _finite(matrix: Tensor, vector: Tensor) -> tuple[Tensor, Tensor]:
    """Both, or the identity and zeros for a trajectory that has left the finite numbers."""
    lost = ~(matrix.isfinite().all(-1).all(-1) & vector.isfinite().all(-1))
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return torch.where(lost[..., None, None], identity, matrix), torch.where(lost[..., None], 0.0, vector)
