"""New tasks, what is observed of them, and the members that an adaptation makes of a learned model and those."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior
from metastruct.adaptation.error_bars import error_bar
from metastruct.config.needs import STUDIED, Piece, Pieces
from metastruct.data.observations import Observations
from metastruct.data.source import Source
from metastruct.dynamics.dynamics import Updates
from metastruct.dynamics.model import ModulatedModel
from metastruct.integrators.integrator import Integrator
from metastruct.objectives.objective import Objective
from metastruct.systems.system import System

if TYPE_CHECKING:
    from metastruct.evaluation.metric import Metric

Array = np.ndarray


@dataclass(frozen=True)
class Protocol:
    """How new tasks are met, and what is measured of them.

    Args:
        shots: observations of each task.
        seed: of their draw.
        side: points a side of the evaluation grid.
        box_scale: enlarges the box of the grid.
        metrics: by name.
        pieces: of the run, by group, of which metrics may need something.
        visited: are fields compared at states that the family visits, as many, and not on the grid?
        by_name: were they asked for by name? Then one whose needs are not met is refused, not left out.
    """

    shots: int
    seed: int
    side: int
    box_scale: float
    metrics: Mapping[str, Metric]
    pieces: Pieces
    by_name: bool = False
    visited: bool = False


@dataclass(frozen=True)
class Learned:
    """What the meta-training left, in the precision and on the device of the evaluation.

    Args:
        model: with its weights.
        objective: what it was fitted by, and adapts by.
        start: where the adaptation of each task begins, `[tasks, code]`.
        prior: of the codes, or None: then no adaptation has a posterior.
    """

    model: ModulatedModel
    objective: Objective
    start: Tensor
    prior: Prior | None = None


@dataclass(frozen=True)
class Fitted:
    """The members that an adaptation makes of a learned model and the support observations of new tasks.

    Attributes:
        seconds: wall time of the adaptation and of the rollouts, zero until they are asked for.
    """

    learned: Learned
    protocol: Protocol
    adaptation: Adaptation
    integrator: Integrator
    source: Source
    seconds: dict[str, float] = field(default_factory=lambda: {"adaptation": 0.0, "rollouts": 0.0})

    # The tasks

    @property
    def system(self) -> System:
        """What the members obey.

        Raises:
            ValueError: nobody knows it.
        """
        if self.source.law is None:
            raise ValueError("this needs a known vector field of the system, which the data do not have")
        return self.source.law

    @property
    def parameters(self) -> Array:
        """mu `[tasks, parameters]`; no columns where nobody knows it."""
        return self.source.parameters("test")

    @cached_property
    def support(self) -> Observations:
        """What is observed of each task."""
        protocol, objective = self.protocol, self.learned.objective
        objective.check(self.source.parts)
        request = objective.request
        more = [name for name in getattr(self.learned.model, "reads", ()) if name not in request.reads]
        return self.source.support(protocol.shots, protocol.seed, replace(request, reads=(*request.reads, *more)))

    # The fit

    @cached_property
    def fit(self) -> Fit:
        """Codes, trace and, where the adaptation has one, the covariance of the posterior."""
        learned, support = self.learned, self.support
        with self._clock("adaptation"):
            observations = support.to(learned.start.device)
            return self.adaptation.fit(learned.model, learned.objective, observations, learned.start, learned.prior)

    @cached_property
    def updates(self) -> Updates:
        """Of each site, from the codes."""
        with torch.no_grad():
            return self.learned.model.modulation(self.fit.codes)

    @cached_property
    def pieces(self) -> Pieces:
        """Those of the run, as far as they are there: no law that nobody knows, no posterior without a prior.

        A field that was only observed stands in where there is no law.
        """
        law, pieces = self.source.law, dict(self.protocol.pieces)
        plane = {"plane": not self.protocol.visited}
        pieces[STUDIED] = None if law is None else Piece(STUDIED, law.name, {}, law.provides | plane)
        if (data := pieces.get("data")) is not None:
            pieces["data"] = replace(data, more=self.source.provides)
        if self.learned.prior is None:
            pieces["adaptation"] = None
        return pieces

    def _provided(self, group: str, word: str) -> bool:
        piece = self.pieces.get(group)
        return piece is not None and piece.provided(word) is True

    # At any states

    def law(self, x: Array) -> Array:
        """True dx/dt at states x `[tasks, points, state]`."""
        return self.system.vector_field(x, self.parameters)

    def no_input(self, x: Array) -> Array | None:
        """Zero `[tasks, points, input]` at states x, for laws of the state alone; None where nothing drives them."""
        inputs = len(self.source.input_names)
        return np.zeros((*x.shape[:-1], inputs)) if inputs else None

    def field(self, x: Array, inputs: Array | None = None) -> Array:
        """dx/dt of the adapted members at x, driven by inputs `[tasks, points, input]` there, as x."""
        driving = None if inputs is None else self._tensor(inputs)
        with torch.no_grad():
            field = self.learned.model.dynamics.vector_field(self._tensor(x), self.updates, driving)
        return field.cpu().numpy()

    def comparable(self, values: Array, slopes: bool = False) -> Array:
        """States `[..., state]`, or dx/dt, in units in which the errors of components add up.

        As they are where a law gives the units, else in the spread of the training data, states from their mean.
        """
        if self.source.law is not None:
            return values
        dynamics = self.learned.model.dynamics
        if slopes:
            return values / dynamics.derivative_std.cpu().numpy()
        return (values - dynamics.state_mean.cpu().numpy()) / dynamics.state_std.cpu().numpy()

    def error_bars(self, x: Array, level: float, inputs: Array | None = None) -> tuple[Array, Array]:
        """dx/dt of the adapted members at x, and half the width of its error bar, all `[tasks, points, state]`.

        It holds what the support left open of the code, and what no code explains of dx/dt as far as the residual of
        the objective is one of dx/dt; of another residual it says nothing.

        Args:
            level: how often a bar holds the truth.
            inputs: what drives the members there, `[tasks, points, input]`.

        Raises:
            ValueError: there is no posterior.
        """
        driving = None if inputs is None else self._tensor(inputs)
        mean, half = error_bar(self.learned.model, self._tensor(x), self.fit, self._prior, level, driving)
        return mean.cpu().numpy(), half.cpu().numpy()

    @property
    def _prior(self) -> Prior:
        """Of the posterior; a ValueError where there is none."""
        if self.fit.covariance is None or self.learned.prior is None:
            raise ValueError(f"error bars need an adaptation with a posterior, got {type(self.adaptation).__name__}")
        return self.learned.prior

    def _of_members(self, potential: Callable[[Tensor, Updates], Tensor], x: Array) -> Array:
        with torch.no_grad():
            return potential(self._tensor(x), self.updates).cpu().numpy()

    def _tensor(self, values: Array | Tensor) -> Tensor:
        """On the device of the model."""
        return torch.as_tensor(values).to(self.learned.start.device)

    @contextmanager
    def _clock(self, phase: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[phase] += time.perf_counter() - began


def points_of(states: Array) -> Array:
    """`[tasks, points, state]` from states with more axes between."""
    return states.reshape(len(states), -1, states.shape[-1])
