"""Rolling adapted members over many periods: what the integrator and its step do to energy and trajectory.

Every trajectory has a step of its own, its period over the number of steps a period, so that all of a batch are
equally hard for the integrator. That number is a whole one plus 0.618: with a whole one, each period would be sampled
at the same phases, and an energy that oscillates would seem to drift as those phases slowly shift. Energies are in
units of the learned energy's range on the evaluation box.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from metastruct.evaluation.errors import MODEL_ERROR, STEP_ERROR, relative_error
from metastruct.integrators.flow import Flow
from metastruct.integrators.integrator import Integrator
from metastruct.integrators.iteration import told_once
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.paper.long_horizon.secular import secular_slope, turns_per_sample

Array = np.ndarray
Law = Callable[[Array], Array]  # states [tasks, points, state] -> dx/dt of the same shape
GOLDEN = (5**0.5 - 1) / 2
METRICS = ("amplitude", "slope", "slope_error", STEP_ERROR, MODEL_ERROR)


@dataclass(frozen=True)
class Orbits:
    """Closed orbits of adapted members, the tasks and points of a batch, with what they are compared with.

    Args:
        starts: `[tasks, points, state]`.
        periods: of the learned flow, `[tasks, points]`.
        energy_range: of the learned energy on the evaluation box, `[tasks]`.
        learned, true: exact states of the learned and of the true flow, `[tasks, points, samples, state]`, at the
            instants of a rollout, for each (whole) number of steps a period.
        count: how many periods.
    """

    starts: Array
    periods: Array
    energy_range: Array
    learned: dict[int, Array]
    true: dict[int, Array]
    count: int


def orbits_from(
    flow: Flow, truth: Law, starts: Array, energy_range: Array, horizon: float, count: int, steps: Sequence[int]
) -> Orbits:
    """Find the periods of the learned flow within `horizon`, and integrate both flows over `count` of them.

    Args:
        starts: `[tasks, points, state]`.
        energy_range: of the learned energy on the evaluation box, `[tasks]`.
        steps: those a period of the rollouts that are to come.
    """
    periods = periods_of(flow, starts, horizon)

    @torch.no_grad()
    def learned(x: Array) -> Array:
        return flow.vector_field(torch.from_numpy(x)).numpy()

    instants = {each: np.arange(samples(count, each)) / (each + GOLDEN) for each in steps}
    model, true = (exact(law, starts, periods, instants) for law in (learned, truth))
    return Orbits(starts, periods, energy_range, model, true, count)


def samples(count: int, steps: int) -> int:
    """States of a rollout of `count` periods, the start included."""
    return math.ceil(count * (steps + GOLDEN)) + 1


def periods_of(flow: Flow, starts: Array, horizon: float, step: float = 0.01) -> Array:
    """Time of the first return of each orbit to its start, `[tasks, points]`.

    An orbit returns where it crosses the line through its start and normal to its field in the old direction.

    Raises:
        ValueError: an orbit does not return within the horizon.
    """
    x0 = torch.from_numpy(starts)
    times = torch.arange(0, horizon, step, dtype=torch.float64)
    with torch.no_grad():
        path, normal = rollout(flow, x0, times, RK4(step)), flow.vector_field(x0)
    side = ((path - x0[..., None, :]) * normal[..., None, :]).sum(-1).numpy()
    returns = (side[..., 1:-1] < 0) & (side[..., 2:] >= 0)
    if not returns.any(-1).all():
        raise ValueError(
            f"{int((~returns.any(-1)).sum())} orbits do not return within t = {horizon:g}; roll out longer"
        )
    at = returns.argmax(-1)[..., None] + 1
    before, after = (np.take_along_axis(side, at + shift, -1)[..., 0] for shift in (0, 1))
    return step * (at[..., 0] + before / (before - after))


def exact(
    law: Law, starts: Array, periods: Array, instants: Mapping[int, Array], tolerance: float = 1e-10
) -> dict[int, Array]:
    """States `[tasks, points, times, state]` of dx/dt = law(x) at each of the instants, in units of each period."""
    shape = starts.shape

    def scaled(_: float, flat: Array) -> Array:
        return (periods[..., None] * law(flat.reshape(shape))).ravel()

    times = np.unique(np.concatenate([*instants.values()]))
    bound = max(tolerance / np.sqrt(starts.size), 1e-13)
    result = solve_ivp(scaled, (0, times[-1]), starts.ravel(), method="DOP853", t_eval=times, rtol=bound, atol=bound)
    if not result.success:
        raise RuntimeError(f"integrating the orbits stopped at {result.t[-1]:.3g} periods: {result.message}")
    paths = np.moveaxis(result.y.reshape(*shape, len(times)), -1, -2)
    return {steps: paths[..., np.searchsorted(times, moments), :] for steps, moments in instants.items()}


@torch.no_grad()
def roll(flow: Flow, orbits: Orbits, integrator: Integrator, steps: int, advance: Callable[[], object]) -> Array:
    """States `[tasks, points, samples, state]` with steps + 0.618 steps a period; `advance` is called `count` times."""
    h = torch.from_numpy(orbits.periods / (steps + GOLDEN))[..., None]
    x = torch.from_numpy(orbits.starts)
    states: list[Tensor] = [x]
    with told_once():
        for number in range(1, samples(orbits.count, steps)):
            x = integrator.step(flow, x, h)
            states.append(x)
            if int(number / (steps + GOLDEN)) > int((number - 1) / (steps + GOLDEN)):
                advance()
    return torch.stack(states, dim=-2).numpy()


def measure(flow: Flow, orbits: Orbits, states: Array, steps: int) -> dict[str, Array]:
    """Each of METRICS, `[tasks, points]`.

    `amplitude` is half the way between the extremes of the energy about its fitted line, `slope` its secular change per
    period with `slope_error`; `integrator_error` and `trajectory_error` are the relative errors of the whole rollout
    against the exact learned and the true flow. All are NaN for a rollout that is not finite.
    """
    learned, true = orbits.learned[steps], orbits.true[steps]
    lost = ~np.isfinite(states).all((-2, -1))
    safe = np.where(lost[..., None, None], learned, states)
    with torch.no_grad():
        energy = flow.energy(torch.from_numpy(safe).flatten(1, 2)).numpy().reshape(safe.shape[:-1])
    energy = (energy - energy[..., :1]) / orbits.energy_range[:, None, None]
    slope, error = secular_slope(energy, turns_per_sample(safe))
    rest = energy - slope[..., None] * np.arange(energy.shape[-1]) / (steps + GOLDEN)

    def against(reference: Array) -> Array:
        flat = (lost.size, *states.shape[2:])
        return relative_error(states.reshape(flat), reference.reshape(flat)).reshape(lost.shape)

    values = ((rest.max(-1) - rest.min(-1)) / 2, slope, error, against(learned), against(true))
    return {name: np.where(lost, np.nan, value) for name, value in zip(METRICS, values, strict=True)}
