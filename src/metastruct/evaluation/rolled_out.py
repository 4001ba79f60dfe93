"""Adapted members along the query trajectories, which they roll out from the same starts, under the same inputs."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch

from metastruct.config.work import work
from metastruct.data.trajectory import Queries
from metastruct.dynamics.folded import folded
from metastruct.evaluation.errors import diverged, relative_error
from metastruct.evaluation.fitted import Array, Fitted, points_of
from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.rollout import rollout
from metastruct.integrators.signal import Signal


class RolledOut(Fitted):
    """Values along trajectories are `[tasks, trajectories, times]`; what was not seen of a query is NaN in it."""

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

    @cached_property
    def flow(self) -> Flow:
        """Of the members, driven by the inputs of the query trajectories where there are any."""
        return self.learned.model.dynamics.flow(self.updates, self._signal)

    @cached_property
    def _often(self) -> Flow:
        """The same for rollouts, which ask it thousands of times."""
        dynamics = self.learned.model.dynamics
        with torch.no_grad():
            return dynamics.flow(folded(self.updates, dynamics), self._signal, recorded=True)

    @property
    def _signal(self) -> Signal | None:
        inputs, held = self._query.inputs, self.source.held_inputs
        return None if inputs is None else Signal(self._tensor(self.times), self._tensor(inputs), held)

    # Where the query was seen

    @property
    def query_points(self) -> Array:
        """All states of the query, `[tasks, points, state]`."""
        return points_of(self.query)

    @property
    def filled_points(self) -> Array:
        """The states of the query, `[tasks, points, state]`; what was not seen of them is taken to be a start."""
        return points_of(np.where(np.isnan(self.query), self.starts[:, :, None], self.query))

    @property
    def query_inputs(self) -> Array | None:
        """What drives the members at these states, `[tasks, points, input]`; None where nothing does."""
        return None if self._query.inputs is None else points_of(self._query.inputs)

    @property
    def observed_field(self) -> Array:
        """dx/dt as it was observed along the query, as `query_points`, NaN where it was not seen.

        Raises:
            ValueError: nobody observed it.
        """
        if self._query.derivatives is None:
            raise ValueError("this needs derivatives along the query, which the data do not have")
        return points_of(self._query.derivatives)

    # Rollouts

    @cached_property
    def rollouts(self) -> Array:
        """States of the adapted members from the query starts, as `query`."""
        return self._rolled_out(self.integrator)

    @cached_property
    def finer_rollouts(self) -> Array:
        """The same with finer steps of the integrator."""
        return self._rolled_out(self.integrator.finer())

    def rolled_out(self, times: Array) -> Array:
        """The same at other times `[times]`, the first of them that of the starts."""
        return self._rolled_out(self.integrator, times)

    def _rolled_out(self, integrator: Integrator, times: Array | None = None) -> Array:
        flow, starts = self._often, self._tensor(self.starts)
        instants = self._tensor(self.times if times is None else times)
        with self._clock("rollouts"):
            return rollout(flow, starts, instants, integrator, work()).cpu().numpy()

    @cached_property
    def diverged(self) -> Array:
        """Which tasks' rollouts left, `[tasks]`."""
        return diverged(relative_error(self.comparable(self.rollouts), self.comparable(self.query)))

    @cached_property
    def true_energy(self) -> Array:
        """Along the rollouts."""
        return self.system.energy(points_of(self.rollouts), self.parameters).reshape(self.rollouts.shape[:-1])

    @cached_property
    def true_entropy(self) -> Array:
        """Along the rollouts."""
        return self.system.entropy(points_of(self.rollouts), self.parameters).reshape(self.rollouts.shape[:-1])

    @cached_property
    def learned_energy(self) -> Array:
        """Along the rollouts."""
        energy = self._of_members(self.learned.model.dynamics.energy, points_of(self.rollouts))
        return energy.reshape(self.rollouts.shape[:-1])

    @cached_property
    def learned_entropy(self) -> Array:
        """Along the rollouts."""
        entropy = self._of_members(self.learned.model.dynamics.entropy, points_of(self.rollouts))
        return entropy.reshape(self.rollouts.shape[:-1])
