"""What adapted members are made of: tensors `[members, points, state]` in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Fit, Prior, frozen
from metastruct.adaptation.error_bars import ONE_SIGMA, energy_difference, error_bar
from metastruct.api.space import Space
from metastruct.config.facts import providing
from metastruct.config.work import FIX_OF_LOADED, allowed
from metastruct.dynamics.dynamics import Updates
from metastruct.dynamics.folded import folded
from metastruct.evaluation.forecast import state_std
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.rollout import rollout
from metastruct.integrators.signal import Signal
from metastruct.running.trained import Trained

TOGETHER = 16_384  # points that are looked at together, for their memory
FOLDED_FROM = 32  # points of a member from which its own matrices pay


@dataclass(frozen=True)
class Fields:
    """The fields of members that were fitted.

    Args:
        held: did inputs stay as they were between their instants in the training?
        work: times the usual steps that a rollout may take.
    """

    trained: Trained
    prior: Prior
    integrator: Integrator
    fit: Fit
    held: bool = False
    work: float = 1.0

    def __len__(self) -> int:
        return len(self.fit.codes)

    def of(self, members: slice | list[int]) -> Fields:
        """Those of some members."""
        fit = self.fit
        covariance = None if fit.covariance is None else fit.covariance[members]
        converged = None if fit.converged is None else fit.converged[members]
        agreement = None if fit.agreement is None else fit.agreement.of(members)  # type: ignore[arg-type]
        posterior = None if fit.posterior is None else fit.posterior[members]
        part = Fit(fit.codes[members], fit.trace[:, members], covariance, converged, agreement, posterior)
        return replace(self, fit=part)

    @property
    def flags(self) -> dict[str, Tensor]:
        """What may be wrong, in words, and with which members `[members]`."""
        return {} if self.fit.agreement is None else self.fit.agreement.flags

    @property
    def space(self) -> Space:
        """Where they are asked."""
        return Space.of(self.trained.model.dynamics, self.held)

    @cached_property
    def _factored(self) -> Updates:
        with torch.no_grad():
            updates: Updates = self.trained.model.modulation(self.fit.codes)
            return updates

    @cached_property
    def _folded(self) -> Updates:
        with torch.no_grad():
            return folded(self._factored, self.trained.model.dynamics)

    def updates(self, points: int) -> Updates:
        """As they are fastest for so many points of each."""
        return self._folded if len(self) == 1 or points >= FOLDED_FROM else self._factored

    def vector_field(self, x: Tensor, inputs: Tensor | None = None) -> Tensor:
        """dx/dt, as x."""
        dynamics, updates = self.trained.model.dynamics, self.updates(x.shape[-2])
        with torch.no_grad():
            return dynamics.vector_field(x, updates, _at(x, inputs))

    def energy(self, x: Tensor) -> Tensor:
        """`[members, points]`."""
        with torch.no_grad():
            return self.trained.model.dynamics.energy(x, self.updates(x.shape[-2]))

    def entropy(self, x: Tensor) -> Tensor:
        """`[members, points]`."""
        with torch.no_grad():
            return self.trained.model.dynamics.entropy(x, self.updates(x.shape[-2]))

    def error_bar(self, x: Tensor, inputs: Tensor | None = None, level: float = ONE_SIGMA) -> tuple[Tensor, Tensor]:
        """dx/dt and half the width of its error bar, as x; errors as of `covariance`."""
        self._bars_exist()
        with frozen(self.trained.model):
            return error_bar(self.trained.model, x, self.fit, self.prior, level, _at(x, inputs))

    def energy_difference(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """E(x) - E(y) and half the width of its error bar, `[members, points]`; errors as of `covariance`."""
        self._bars_exist()
        with frozen(self.trained.model):
            return energy_difference(self.trained.model, x, y, self.fit, self.prior)

    @property
    def covariance(self) -> Tensor:
        """Of the codes' posterior, `[members, code, code]`.

        Raises:
            ValueError: there is none.
        """
        self._bars_exist()
        assert self.fit.covariance is not None
        return self.fit.covariance

    def _bars_exist(self) -> None:
        if self.fit.covariance is None:
            raise ValueError(
                "error bars need the posterior of the code, which this adaptation does not have; adapt with "
                f"{providing('adaptation', 'posterior')}"
            )

    def rollout(self, x: Tensor, times: Tensor, signal: Signal | None = None) -> Tensor:
        """`[members, points, times, state]`, driven by a signal where there is one."""
        flow = self.trained.model.dynamics.flow(self.updates(x.shape[-2]), signal, recorded=True)
        return rollout(flow, x, times, self.integrator, self.work, FIX_OF_LOADED)

    def forecast_error(
        self, x: Tensor, times: Tensor, signal: Signal | None = None, start_std: Tensor | None = None
    ) -> Tensor:
        """Standard deviation of the states of a rollout, as `spread` has it; errors as of `covariance`."""
        fit = replace(self.fit, covariance=self.covariance)
        with allowed(self.work, FIX_OF_LOADED):
            return state_std(
                self.trained.model, fit, self.prior, x, times, self.integrator.step_size, signal, start_std
            )

    def in_parts(self, function: Callable[..., Tensor | tuple[Tensor, ...]], *points: Tensor) -> tuple[Tensor, ...]:
        """function(fields, *points) of some members at a time, so that memory has a bound."""
        size = max(1, TOGETHER // max(1, points[0].shape[-2]))
        if len(self) <= size:
            values = function(self, *points)
            return values if isinstance(values, tuple) else (values,)
        parts = []
        for first in range(0, len(self), size):
            part = slice(first, first + size)
            values = function(self.of(part), *(each[part] for each in points))
            parts.append(values if isinstance(values, tuple) else (values,))
        return tuple(torch.cat(list(part)) for part in zip(*parts, strict=True))


def _at(x: Tensor, inputs: Tensor | None) -> Tensor | None:
    """The same inputs `[input]`, or `[members, 1, input]`, at all states x."""
    return None if inputs is None else inputs.expand(*x.shape[:-1], -1)
