"""Everything that a metric may ask of the adapted members of an evaluation, each computed once and only if asked for.

Members are adapted to their support observations in float64 and then compared with the truth on two sets of states: the
query trajectories, which they roll out from the same starts, and the evaluation grid, which reaches beyond the data, or
states that the family visits in its place.
Arrays of values along trajectories are `[tasks, trajectories, times]`, of points of a set `[tasks, points, state]`.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch

from metastruct.config.needs import STUDIED
from metastruct.evaluation.fitted import Array, points_of
from metastruct.evaluation.grid import evaluation_grid
from metastruct.evaluation.observed import Observed
from metastruct.evaluation.visited import visited_states


class Adapted(Observed):
    """Adapted members on the evaluation grid as well, and what the figures keep of them."""

    @property
    def grid_points(self) -> Array:
        """Of the evaluation grid, `[tasks, points, state]`."""
        return points_of(self.grid)

    @cached_property
    def grid(self) -> Array:
        """States `[tasks, side, side, state]`."""
        system, mu, protocol = self.system, self.parameters, self.protocol
        if protocol.visited:
            return visited_states(system, mu, protocol.side, float(np.ptp(self.times)))
        return evaluation_grid(system, mu, protocol.side, protocol.box_scale)

    @property
    def places(self) -> Array:
        """Where what is learned is looked at, `[tasks, points, state]`: the grid, or the query states without a law."""
        return self.filled_points if self.source.law is None else self.grid_points

    @cached_property
    def learned_field(self) -> Array:
        """dx/dt of the adapted members, as `grid`; without input."""
        if self.source.input_names:
            return self.field(self.grid_points, self.no_input(self.grid_points)).reshape(self.grid.shape)
        with torch.no_grad():
            return self.flow.vector_field(self._tensor(points_of(self.grid))).cpu().numpy().reshape(self.grid.shape)

    @cached_property
    def true_field(self) -> Array:
        """dx/dt of the law, as `grid`."""
        return self.law(points_of(self.grid)).reshape(self.grid.shape)

    @cached_property
    def true_energy_range(self) -> Array:
        """Highest less lowest, `[tasks]`."""
        return np.ptp(self.system.energy(self._ranging(self.grid_points), self.parameters), axis=1)

    @cached_property
    def learned_energy_range(self) -> Array:
        """Highest less lowest, `[tasks]`."""
        return np.ptp(self._of_members(self.learned.model.dynamics.energy, self._ranging(self.places)), axis=1)

    def _ranging(self, points: Array) -> Array:
        """Points over which energies range; with their mean where starts may all have one energy."""
        if not self.protocol.visited:
            return points
        return np.concatenate([points, points.mean(1, keepdims=True)], axis=1)

    @cached_property
    def degeneracies(self) -> dict[str, Array]:
        """How far identities of the dynamics are from zero, by name, `[tasks, points]`."""
        dynamics = self.learned.model.dynamics
        with torch.no_grad():
            residuals = dynamics.degeneracies(self._tensor(self.places), self.updates)
        return {name: residual.cpu().numpy() for name, residual in residuals.items()}

    @property
    def _support_states(self) -> Array:
        """States `[tasks, shots, state]` of the support; NaN where a task has fewer."""
        states, mask = self.support.states, self.support.mask
        return (states if mask is None else states.where(mask[..., None], torch.nan)).cpu().numpy()

    def arrays(self) -> dict[str, Array]:
        """What an `Archive` keeps of these members, as far as it is there."""
        shared = ["times", "query", "rollouts"]
        lawful = {
            (STUDIED, "plane"): ("grid", "learned_field", "true_field"),
            (STUDIED, "energy"): ("true_energy", "true_energy_range"),
            (STUDIED, "entropy"): ("true_entropy",),
            ("dynamics", "energy"): ("learned_energy", "learned_energy_range"),
            ("dynamics", "entropy"): ("learned_entropy",),
            ("data", "measured"): ("noise", "residuals"),
        }
        if self._provided("data", "measured") and self._provided("adaptation", "posterior"):
            shared.append("forecast_std")
        names = [*shared, *(name for word, more in lawful.items() if self._provided(*word) for name in more)]
        return {name: getattr(self, name) for name in names} | {
            "support": self._support_states,
            "grid_axes": np.array(self.source.plane),
            "trace": self.fit.trace.cpu().numpy(),
            "test_codes": self.fit.codes.cpu().numpy(),
            "test_parameters": self.parameters,
        }
