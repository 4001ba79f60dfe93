"""New members of a run of experiment=driven along their query trajectories: what scripts of mechanics share."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

import metastruct
from metastruct.api.model import Model
from metastruct.config.schema import composed
from metastruct.data.draws import drawn
from metastruct.data.shots import support
from metastruct.data.simulate import instants, integrate, integrate_driven
from metastruct.data.trajectory import Array
from metastruct.dynamics.dynamics import Updates
from metastruct.dynamics.folded import folded
from metastruct.evaluation.errors import relative_error
from metastruct.integrators.flow import Flow
from metastruct.integrators.rollout import rollout
from metastruct.integrators.signal import Signal
from metastruct.running.assembly import build_source, component
from metastruct.running.experiment import run
from metastruct.running.run import Run

QUIET = (
    "logger=none",
    "evaluation.figures=false",
    "evaluation.metrics=[field_error,trajectory_error,integrator_error]",
)
RATE = 20  # instants a unit of time
TASKS, QUERY = 10, (5, 6)  # new members, and which of their trajectories
EVERY = slice(None)


def words(system: str, dynamics: str, seed: int, outputs: str) -> tuple[str, ...]:
    """Of a run."""
    return "experiment=driven", f"system={system}", f"dynamics={dynamics}", f"seed={seed}", f"outputs={outputs}", *QUIET


class Forecaster:
    """New members of a run, adapted to their support, along their query trajectories for as long as one likes."""

    def __init__(self, system: str, dynamics: str, seed: int, outputs: str):
        cfg = composed(*words(system, dynamics, seed, outputs))
        self.model, self.config = metastruct.load(run(cfg).path), Run.of(cfg).config
        source, objective = build_source(self.config, print), self.model.trained.objective
        parts = [member.part(slice(source.support_trajectories)) for member in source.test]
        observed = support(parts, self.config.shots, seed, objective.request)
        self.codes = self._fitted(self.model, observed)
        self.law: Any = source.law

    @staticmethod
    def _fitted(model: Model, observed: Any) -> Tensor:
        trained, start = model.trained, model.trained.start(len(observed), "mean")
        adaptation = model._adaptation(None, {})
        return adaptation.fit(trained.model, trained.objective, observed, start, model._prior).codes

    def updates(self, members: slice = EVERY) -> Updates:
        """Of these members, their matrices folded."""
        model = self.model.trained.model
        return folded(model.modulation(self.codes[members]), model.dynamics)

    def flow(self, times: Tensor, inputs: Array, members: slice = EVERY, recorded: bool = False) -> Flow:
        """Of these members, driven by inputs `[members, paths, times, input]` where there are any."""
        signal = Signal(times, torch.from_numpy(inputs), self.law.held_inputs) if inputs.shape[-1] else None
        return self.model.trained.model.dynamics.flow(self.updates(members), signal, recorded)

    @torch.no_grad()
    def errors(self, horizons: tuple[float, ...]) -> list[Array]:
        """Relative errors of trajectories `[tasks]` from their beginning to each horizon."""
        times, starts, inputs, truth = true_paths(self.law, max(horizons))
        flow = self.flow(torch.from_numpy(times), inputs, recorded=True)
        path = rollout(flow, torch.from_numpy(starts), torch.from_numpy(times), component(self.config.integrator))
        ends = [round(RATE * horizon) + 1 for horizon in horizons]
        return [relative_error(path.numpy()[:, :, :end], truth[:, :, :end]) for end in ends]


@cache
def true_paths(law: Any, horizon: float) -> tuple[Array, Array, Array, Array]:
    """Times, starts, inputs and states of the query trajectories of the test members, however long."""
    mu, starts = drawn(law, 1, TASKS, QUERY[-1] + 1, 0)
    starts, times = starts[:, QUERY], instants(horizon, round(RATE * horizon) + 1)
    streams = [[np.random.default_rng([0, 1, task, number, 1]) for number in QUERY] for task in range(TASKS)]
    inputs = np.array([[law.sample_inputs(stream, times) for stream in line] for line in streams])
    tolerance = 1e-9
    if not law.input_names:
        return times, starts, inputs, integrate(law, starts, mu, times, tolerance)
    return times, starts, inputs, integrate_driven(law, starts, mu, times, inputs, tolerance)
