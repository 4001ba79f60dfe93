"""Everything that a metric may ask of the adapted members of an evaluation, each computed once and only if asked for.

Members are adapted to their support observations in float64 and then compared with the truth on two sets of states: the
query trajectories, which they roll out from the same starts, and the evaluation grid, which reaches beyond the data.
Arrays of values along trajectories are `[tasks, trajectories, times]`, of points of a set `[tasks, points, state]`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Fit, Prior
from metastruct.adaptation.error_bars import error_bar
from metastruct.data.observations import Observations
from metastruct.data.source import Source
from metastruct.data.trajectory import Queries
from metastruct.dynamics.model import ModulatedModel
from metastruct.evaluation.errors import diverged, relative_error
from metastruct.evaluation.grid import evaluation_grid
from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.rollout import rollout
from metastruct.integrators.signal import Signal
from metastruct.needs import STUDIED, Piece, Pieces
from metastruct.nets.site import Updates
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
        by_name: were they asked for by name? Then one whose needs are not met is refused, not left out.
    """

    shots: int
    seed: int
    side: int
    box_scale: float
    metrics: Mapping[str, Metric]
    pieces: Pieces
    by_name: bool = False


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
class Adapted:
    """The members that an adaptation makes of a learned model and the support observations of new tasks.

    Attributes:
        seconds: wall time of the adaptation and of the rollouts, zero until they are asked for.
    """

    learned: Learned
    protocol: Protocol
    adaptation: Adaptation
    integrator: Integrator
    source: Source
    seconds: dict[str, float] = field(default_factory=lambda: {"adaptation": 0.0, "rollout": 0.0})

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
        return self.source.support(protocol.shots, protocol.seed, objective.reads, objective.window)

    @cached_property
    def _query(self) -> Queries:
        return self.source.query()

    @property
    def times(self) -> Array:
        """Of the query trajectories, `[times]`, or `[tasks, trajectories, times]` where each has its own."""
        return self._query.times

    @property
    def query(self) -> Array:
        """True states `[tasks, trajectories, times, state]`, NaN where a trajectory was not seen."""
        return self._query.states

    @property
    def starts(self) -> Array:
        """Of the query trajectories, `[tasks, trajectories, state]`; that of the first where a member has fewer."""
        starts = self.query[:, :, 0]
        return np.where(np.isnan(starts), starts[:, :1], starts)

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
    def flow(self) -> Flow:
        """Of the members, driven by the inputs of the query trajectories where there are any."""
        inputs = self._query.inputs
        driven = None if inputs is None else Signal(self._tensor(self.times), self._tensor(inputs))
        return self.learned.model.dynamics.flow(self.updates, driven)

    @cached_property
    def pieces(self) -> Pieces:
        """Those of the run, as far as they are there: no law that nobody knows, no posterior without a prior."""
        law, pieces = self.source.law, dict(self.protocol.pieces)
        pieces[STUDIED] = None if law is None else Piece(STUDIED, law.name, {}, law.provides)
        if self.learned.prior is None:
            pieces["adaptation"] = None
        return pieces

    def _provided(self, group: str, word: str) -> bool:
        piece = self.pieces.get(group)
        return piece is not None and piece.provided(word) is True

    # Along trajectories

    @cached_property
    def rollouts(self) -> Array:
        """States of the adapted members from the query starts, as `query`."""
        return self._rolled_out(self.integrator)

    @cached_property
    def finer_rollouts(self) -> Array:
        """The same with finer steps of the integrator."""
        return self._rolled_out(self.integrator.finer())

    def _rolled_out(self, integrator: Integrator) -> Array:
        flow, starts, times = self.flow, self._tensor(self.starts), self._tensor(self.times)
        with self._clock("rollout"):
            return rollout(flow, starts, times, integrator).cpu().numpy()

    @cached_property
    def diverged(self) -> Array:
        """Which tasks' rollouts left, `[tasks]`."""
        return diverged(relative_error(self.rollouts, self.query))

    @cached_property
    def true_energy(self) -> Array:
        """Along the rollouts."""
        return self.system.energy(_points(self.rollouts), self.parameters).reshape(self.rollouts.shape[:-1])

    @cached_property
    def true_entropy(self) -> Array:
        """Along the rollouts."""
        return self.system.entropy(_points(self.rollouts), self.parameters).reshape(self.rollouts.shape[:-1])

    @cached_property
    def learned_energy(self) -> Array:
        """Along the rollouts."""
        energy = self._of_members(self.learned.model.dynamics.energy, _points(self.rollouts))
        return energy.reshape(self.rollouts.shape[:-1])

    @cached_property
    def learned_entropy(self) -> Array:
        """Along the rollouts."""
        entropy = self._of_members(self.learned.model.dynamics.entropy, _points(self.rollouts))
        return entropy.reshape(self.rollouts.shape[:-1])

    # On the grid

    @cached_property
    def grid(self) -> Array:
        """States `[tasks, side, side, state]`."""
        return evaluation_grid(self.system, self.parameters, self.protocol.side, self.protocol.box_scale)

    @property
    def places(self) -> Array:
        """Where what is learned is looked at, `[tasks, points, state]`: the grid, or the query states without a law.

        What was not seen of a query is taken to be its start.
        """
        if self.source.law is not None:
            return self.grid_points
        return _points(np.where(np.isnan(self.query), self.starts[:, :, None], self.query))

    @cached_property
    def learned_field(self) -> Array:
        """dx/dt of the adapted members, as `grid`."""
        with torch.no_grad():
            return self.flow.vector_field(self._tensor(_points(self.grid))).cpu().numpy().reshape(self.grid.shape)

    @cached_property
    def true_field(self) -> Array:
        """dx/dt of the law, as `grid`."""
        return self.law(_points(self.grid)).reshape(self.grid.shape)

    @cached_property
    def true_energy_range(self) -> Array:
        """Highest less lowest, `[tasks]`."""
        return np.ptp(self.system.energy(_points(self.grid), self.parameters), axis=1)

    @cached_property
    def learned_energy_range(self) -> Array:
        """Highest less lowest, `[tasks]`."""
        return np.ptp(self._of_members(self.learned.model.dynamics.energy, self.places), axis=1)

    @cached_property
    def degeneracies(self) -> dict[str, Array]:
        """How far identities of the dynamics are from zero, by name, `[tasks, points]`."""
        dynamics = self.learned.model.dynamics
        with torch.no_grad():
            residuals = dynamics.degeneracies(self._tensor(self.places), self.updates)
        return {name: residual.cpu().numpy() for name, residual in residuals.items()}

    def arrays(self) -> dict[str, Array]:
        """What an `Archive` keeps of these members, as far as it is there."""
        shared = ("times", "query", "rollouts")
        lawful = {
            (STUDIED, "law"): ("grid", "learned_field", "true_field"),
            (STUDIED, "energy"): ("true_energy", "true_energy_range"),
            (STUDIED, "entropy"): ("true_entropy",),
            ("dynamics", "energy"): ("learned_energy", "learned_energy_range"),
            ("dynamics", "entropy"): ("learned_entropy",),
        }
        names = [*shared, *(name for word, more in lawful.items() if self._provided(*word) for name in more)]
        return {name: getattr(self, name) for name in names} | {
            "grid_axes": np.array(self.source.plane),
            "trace": self.fit.trace.cpu().numpy(),
            "test_codes": self.fit.codes.cpu().numpy(),
            "test_parameters": self.parameters,
        }

    # At any states

    @property
    def query_points(self) -> Array:
        return _points(self.query)

    @property
    def grid_points(self) -> Array:
        return _points(self.grid)

    def law(self, x: Array) -> Array:
        """True dx/dt at states x `[tasks, points, state]`."""
        return self.system.vector_field(x, self.parameters)

    def error_bars(self, x: Array) -> tuple[Array, Array]:
        """dx/dt of the adapted members at x, and the standard deviation of its error, all `[tasks, points, state]`.

        Raises:
            ValueError: there is no posterior.
        """
        learned, fit = self.learned, self.fit
        if fit.covariance is None or learned.prior is None:
            raise ValueError(f"error bars need an adaptation with a posterior, got {type(self.adaptation).__name__}")
        mean, std = error_bar(learned.model, self._tensor(x), fit.codes, fit.covariance, learned.prior)
        return mean.cpu().numpy(), std.cpu().numpy()

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


def _points(states: Array) -> Array:
    """`[tasks, points, state]` from states with more axes between."""
    return states.reshape(len(states), -1, states.shape[-1])
