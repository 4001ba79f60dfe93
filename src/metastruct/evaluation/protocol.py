"""The few-shot protocol: adapt to the test tasks, roll out, measure; all tasks at once, in float64."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from metastruct.adaptation.adaptation import Adaptation, Prior
from metastruct.adaptation.error_bars import error_bar
from metastruct.data.simulate import Simulation
from metastruct.data.tasks import split_support
from metastruct.dynamics.model import ModulatedModel
from metastruct.evaluation.grid import evaluation_grid
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.rollout import rollout
from metastruct.metrics.coverage import coverage
from metastruct.metrics.drift import energy_drift
from metastruct.metrics.entropy import entropy_production
from metastruct.metrics.errors import component_errors, relative_error
from metastruct.metrics.similarity import field_ssim
from metastruct.nets.site import Updates
from metastruct.systems.system import System

Array = np.ndarray


@dataclass
class Evaluation:
    """What was measured.

    `values` holds one `[tasks]` array for each (metric, component), the component being empty for the whole state.
    `domains` names the family of each task, `arrays` holds what figures draw, `seconds` the wall time of each phase.
    """

    domains: list[str]
    values: dict[tuple[str, str], Array] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def evaluate(
    model: ModulatedModel,
    start: Tensor,
    adaptation: Adaptation,
    integrator: Integrator,
    system: System,
    test: Simulation,
    support_trajectories: int,
    shots: int,
    seed: int,
    side: int,
    box_scale: float,
    prior: Prior | None = None,
) -> Evaluation:
    """Adapt from `start` `[tasks, code]` to `shots` observations of each test task and measure the adapted members.

    Where the adaptation has a posterior, `coverage_95` is the share of the true field's components that its error bars
    hold, at the query states; `coverage_95_grid` the same on the evaluation grid, which reaches beyond the data.

    The model is used in its own precision and on its own device; give it in float64.
    """
    result = Evaluation(system.domain_names(test.parameters))
    device = start.device
    support, query = split_support(test, support_trajectories, shots, seed)

    clock = time.perf_counter()
    fit = adaptation.fit(model, support.states.to(device), support.derivatives.to(device), start, prior)
    result.seconds["adaptation"] = time.perf_counter() - clock
    result.values["support_loss", ""] = fit.trace[-1].cpu().numpy()

    clock = time.perf_counter()
    with torch.no_grad():
        updates = model.modulation(fit.codes)

    flow = model.dynamics.flow(updates)
    starts, times = torch.from_numpy(query[:, :, 0]).to(device), torch.from_numpy(test.times).to(device)
    paths = rollout(flow, starts, times, integrator)
    finer = rollout(flow, starts, times, integrator.finer())
    rollouts = paths.cpu().numpy()
    result.values["integrator_error", ""] = relative_error(rollouts, finer.cpu().numpy())
    result.seconds["rollout"] = time.perf_counter() - clock

    clock = time.perf_counter()
    grid = evaluation_grid(system, test.parameters, side, box_scale)
    points = torch.from_numpy(grid).flatten(1, 2).to(device)
    with torch.no_grad():
        learned_field = flow.vector_field(points).cpu().numpy().reshape(grid.shape)
    true_field = system.vector_field(grid.reshape(len(grid), -1, grid.shape[-1]), test.parameters).reshape(grid.shape)
    for metric, ours, true in (("field_error", learned_field, true_field), ("trajectory_error", rollouts, query)):
        result.values[metric, ""] = relative_error(ours, true)
        for name, error in zip(system.state_names, component_errors(ours, true).T, strict=True):
            result.values[metric, name] = error
    if fit.covariance is not None and prior is not None:
        states = query.reshape(len(query), -1, query.shape[-1])
        for metric, at in (("coverage_95", states), ("coverage_95_grid", grid.reshape(len(grid), -1, grid.shape[-1]))):
            mean, std = error_bar(model, torch.from_numpy(at).to(device), fit.codes, fit.covariance, prior)
            true = system.vector_field(at, test.parameters)
            result.values[metric, ""] = coverage(mean.cpu().numpy(), std.cpu().numpy(), true)
    result.values["ssim", ""] = field_ssim(learned_field, true_field)

    def of_members(law: Callable[[Tensor, Updates], Tensor], x: Tensor) -> Array:
        with torch.no_grad():
            return law(x, updates).cpu().numpy()

    flat = rollouts.reshape(len(rollouts), -1, rollouts.shape[-1])
    visited, box = torch.from_numpy(flat).to(device), points.cpu().numpy()
    dynamics, mu, along = model.dynamics, test.parameters, rollouts.shape[:-1]
    true_energy, true_range = system.energy(flat, mu).reshape(along), _range(system.energy(box, mu))
    result.values["true_energy_drift", ""] = energy_drift(true_energy, true_range)
    if system.structure == "metriplectic":
        true_entropy = system.entropy(flat, mu).reshape(along)
        result.values["true_entropy_production", ""] = entropy_production(true_entropy)
        result.arrays["true_entropy"] = true_entropy
    result.arrays |= {"true_energy": true_energy, "true_energy_range": true_range}
    if dynamics.conserves:
        energy = of_members(dynamics.energy, visited).reshape(along)
        learned_range = _range(of_members(dynamics.energy, points))
        result.values["energy_drift", ""] = energy_drift(energy, learned_range)
        result.arrays |= {"learned_energy": energy, "learned_energy_range": learned_range}
    if dynamics.dissipates:
        entropy = of_members(dynamics.entropy, visited).reshape(along)
        result.values["entropy_production", ""] = entropy_production(entropy)
        result.arrays["learned_entropy"] = entropy
    with torch.no_grad():
        for name, residual in dynamics.degeneracies(points, updates).items():
            result.values[name, ""] = residual.amax(dim=-1).cpu().numpy()
    result.seconds["metrics"] = time.perf_counter() - clock

    result.arrays |= {
        "times": test.times,
        "query": query,
        "rollouts": rollouts,
        "grid": grid,
        "grid_axes": np.array(system.grid_axes),
        "true_field": true_field,
        "learned_field": learned_field,
        "trace": fit.trace.cpu().numpy(),
        "test_codes": fit.codes.cpu().numpy(),
        "test_parameters": test.parameters,
    }
    return result


def _range(energy: Array) -> Array:
    return energy.max(axis=1) - energy.min(axis=1)
