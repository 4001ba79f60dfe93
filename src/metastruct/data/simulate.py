"""Trajectories of a family, all members in one integration.

DOP853 controls the root mean square over all components of error/(atol + rtol |x|). With N components at once, a
tolerance divided by sqrt(N) bounds every single component by the stated tolerance, so one joint integration is never
looser than N separate ones, and takes under a second where they take half a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np
from scipy.integrate import solve_ivp

from metastruct.data.trajectory import Array, Member, Trajectory
from metastruct.systems.system import System

MOST = 300_000  # evaluations of the law for all members at once; a usual simulation takes some thousands


@dataclass(frozen=True)
class Simulation:
    """Clean trajectories of one split of a family."""

    times: Array  # [times]
    states: Array  # [tasks, trajectories, times, state]
    derivatives: Array  # [tasks, trajectories, times, state], exact from the law
    parameters: Array  # [tasks, parameters]

    @property
    def members(self) -> tuple[Member, ...]:
        """The members one by one."""
        return tuple(
            Member(tuple(Trajectory(self.times, x, dxdt) for x, dxdt in zip(*paths, strict=True)), mu)
            for *paths, mu in zip(self.states, self.derivatives, self.parameters, strict=True)
        )


def integrate(system: System, starts: Array, mu: Array, times: Array, tolerance: float) -> Array:
    """States `[tasks, trajectories, times, state]` at `times` from starts `[tasks, trajectories, state]` at times[0].

    Raises:
        ValueError: the law is not finite at a start.
        RuntimeError: the integrator gave up, or takes no end of small steps, as it does on the edge of the domain of a
            law (the message names the system and the time that it reached, and in that case the member).
    """
    shape, evaluations = starts.shape, count(1)
    bound = max(tolerance / np.sqrt(starts.size), 1e-13)

    def law(t: float, flat: Array) -> Array:
        field = system.vector_field(flat.reshape(shape), mu)
        if next(evaluations) > MOST:
            task, trajectory, _ = np.unravel_index(np.nan_to_num(np.abs(field), nan=np.inf).argmax(), shape)
            raise RuntimeError(
                f"simulating {system.name} took {MOST:,} evaluations to reach t = {t:.3g} of {times[-1]:g}; fastest is "
                f"the member {system.described(mu[[task]])[0]} from {starts[task, trajectory].tolist()}: choose other "
                f"starts or system.parameters"
            )
        return field.ravel()

    lawless = np.argwhere(~np.isfinite(system.vector_field(starts, mu)).all(-1))
    if len(lawless):  # the integrator would look for its first step for ever
        task, trajectory = lawless[0]
        raise ValueError(
            f"the law of {system.name} is not finite at the start {starts[task, trajectory].tolist()} of the member "
            f"{system.described(mu[[task]])[0]}; choose other starts or system.parameters"
        )
    result = solve_ivp(
        law, (times[0], times[-1]), starts.ravel(), method="DOP853", t_eval=times, rtol=bound, atol=bound
    )
    if not result.success:
        reached = [times[0], *result.t][-1]  # no instant at all where it gave up in its first step
        raise RuntimeError(f"simulating {system.name} stopped at t = {reached:.3g}: {result.message}")
    return np.moveaxis(result.y.reshape(*shape, len(times)), -1, -2)


def simulate(
    system: System, split: int, tasks: int, trajectories: int, horizon: float, points: int, tolerance: float, seed: int
) -> Simulation:
    """Draw `tasks` members and `trajectories` starts of each, and integrate them to `horizon`.

    Errors as of `integrate`.
    """
    parameters, starts = drawn(system, split, tasks, trajectories, seed)
    times = instants(horizon, points)
    states = integrate(system, starts, parameters, times, tolerance)
    flat = states.reshape(tasks, -1, states.shape[-1])
    return Simulation(times, states, system.vector_field(flat, parameters).reshape(states.shape), parameters)


def drawn(system: System, split: int, tasks: int, trajectories: int, seed: int, **_: object) -> tuple[Array, Array]:
    """The members `[tasks, parameters]` of a split, and where their trajectories begin `[tasks, trajectories, state]`.

    Every task has its own random stream (seed, split, task), so that fewer tasks are the first of more.
    """
    streams = [np.random.default_rng([seed, split, task]) for task in range(tasks)]
    parameters = np.stack([system.sample_parameters(stream, task) for task, stream in enumerate(streams)])
    starts = np.stack([system.sample_starts(s, mu, trajectories) for s, mu in zip(streams, parameters, strict=True)])
    return parameters, starts


def instants(horizon: float, points: int, **_: object) -> Array:
    """Times `[points]` of a simulation, from 0 to the horizon."""
    return np.linspace(0.0, horizon, points)
