"""Trajectories of a family, all members in one integration.

DOP853 controls the root mean square over all components of error/(atol + rtol |x|). With N components at once, a
tolerance divided by sqrt(N) bounds every single component by the stated tolerance, so one joint integration is never
looser than N separate ones, and takes under a second where they take half a minute. Of driven families, whose inputs
have a jump or a kink at every instant, its formulas take equal steps from instant to instant, halved until the largest
estimate of an error of any component is below the tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, pairwise

import numpy as np
from scipy.integrate import DOP853, solve_ivp

from metastruct.config.work import FIX, most
from metastruct.data.draws import drawn
from metastruct.data.stiffness import FINEST, MOST, bound_of
from metastruct.data.trajectory import Array, Member, Trajectory
from metastruct.systems.system import System

EARLY = ((15, 3.0), (5, 1.5))  # after this share of all evaluations, how many times all it may take at its pace so far


@dataclass(frozen=True)
class Simulation:
    """Clean trajectories of one split of a family."""

    times: Array  # [times]
    states: Array  # [tasks, trajectories, times, state]
    derivatives: Array  # [tasks, trajectories, times, state], exact from the law
    parameters: Array  # [tasks, parameters]
    inputs: Array | None = None  # [tasks, trajectories, times, input], where the family is driven

    @property
    def members(self) -> tuple[Member, ...]:
        """The members one by one."""
        undriven = [[None] * self.states.shape[1]] * len(self.states)
        driving = undriven if self.inputs is None else self.inputs
        return tuple(
            Member(tuple(Trajectory(self.times, x, dxdt, u) for x, dxdt, u in zip(*paths, strict=True)), mu)
            for *paths, mu in zip(self.states, self.derivatives, driving, self.parameters, strict=True)
        )


def integrate(system: System, starts: Array, mu: Array, times: Array, tolerance: float) -> Array:
    """States `[tasks, trajectories, times, state]` at `times` from starts `[tasks, trajectories, state]` at times[0].

    Raises:
        ValueError: the law is not finite at a start, the integrator gave up, or takes no end of small steps, as it does
            on the edge of the domain of a law (the message names the system and the time that it reached, and in that
            case the member).
    """
    shape, evaluations = starts.shape, count(1)
    bound, limit = bound_of(tolerance, starts.size), most(MOST)

    def law(t: float, flat: Array) -> Array:
        field = system.vector_field(flat.reshape(shape), mu)
        number = next(evaluations)
        pace = number * (times[-1] - times[0]) / limit
        endless = any(number == limit // share and (t - times[0]) * allowed < pace for share, allowed in EARLY)
        if endless or number >= limit:
            task, trajectory, _ = np.unravel_index(np.nan_to_num(np.abs(field), nan=np.inf).argmax(), shape)
            raise ValueError(
                f"simulating {system.name} took {number:,} evaluations to reach t = {t:.3g} of {times[-1]:g}; fastest "
                f"is the member {system.described(mu[[task]])[0]} from {starts[task, trajectory].tolist()}: lower "
                f"data.horizon, choose other starts or system.parameters, or {FIX}"
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
        raise ValueError(
            f"simulating {system.name} stopped at t = {reached:.3g}: {result.message} choose other starts or "
            "system.parameters"
        )
    return np.moveaxis(result.y.reshape(*shape, len(times)), -1, -2)


def integrate_driven(system: System, starts: Array, mu: Array, times: Array, inputs: Array, tolerance: float) -> Array:
    """The same under inputs `[tasks, trajectories, times, input]`, held or joined by lines as the system says.

    Raises:
        ValueError: the finest steps are not fine enough.
    """
    x, states, number = starts, [starts], 1
    signal = np.moveaxis(inputs, 2, 0)
    for (begin, end), left, right in zip(pairwise(times), signal[:-1], signal[1:], strict=True):
        change = np.zeros_like(left) if system.held_inputs else right - left
        while True:
            with np.errstate(all="ignore"):  # steps that are far too long leave the finite numbers
                after, error = _across(system, x, mu, (left, change), end - begin, number)
            if (error <= tolerance * (1 + np.abs(after))).all():
                break
            number *= 2
            if number > most(FINEST):
                raise ValueError(
                    f"simulating {system.name} stopped at t = {begin:.3g}, where {most(FINEST)} steps to the next "
                    "instant are not enough; ask for more data.points, choose other starts or system.parameters, or "
                    f"{FIX}"
                )
        x, number = after, max(1, number // 2)
        states.append(x)
    return np.stack(states, axis=2)


def _across(
    system: System, x: Array, mu: Array, signal: tuple[Array, Array], length: float, number: int
) -> tuple[Array, Array]:
    """The states after so many steps of Dormand and Prince's formula of order eight, and the largest error of a step.

    Args:
        signal: the inputs in the beginning, and their change in all.
    """
    h, (left, change), largest = length / number, signal, np.zeros_like(x)
    for step in range(number):
        slopes = np.zeros((DOP853.n_stages, *x.shape))
        for stage, (row, share) in enumerate(zip(DOP853.A, DOP853.C, strict=True)):
            place = x + h * np.tensordot(row[:stage], slopes[:stage], 1)
            slopes[stage] = system.driven_field(place, mu, left + (step + share) / number * change)
        x = x + h * np.tensordot(DOP853.B, slopes, 1)
        fifth, third = (np.square(np.tensordot(weights[:-1], slopes, 1)) for weights in (DOP853.E5, DOP853.E3))
        size = np.sqrt(fifth + 0.01 * third)
        largest = np.maximum(largest, h * np.divide(fifth, size, out=np.zeros_like(x), where=size > 0))
    return x, largest


def simulate(
    system: System, split: int, tasks: int, trajectories: int, horizon: float, points: int, tolerance: float, seed: int
) -> Simulation:
    """Draw `tasks` members and `trajectories` starts of each, and integrate them to `horizon`.

    Errors as of `integrate`.
    """
    parameters, starts = drawn(system, split, tasks, trajectories, seed)
    times = instants(horizon, points)
    inputs = signals(system, split, tasks, trajectories, times, seed)
    if inputs is None:
        states = integrate(system, starts, parameters, times, tolerance)
    else:
        states = integrate_driven(system, starts, parameters, times, inputs, tolerance)
    return Simulation(times, states, law_along(system, states, parameters, inputs), parameters, inputs)


def law_along(system: System, states: Array, mu: Array, inputs: Array | None) -> Array:
    """dx/dt at states `[tasks, trajectories, times, state]` under the inputs there."""
    flat = states.reshape(len(states), -1, states.shape[-1])
    if inputs is None:
        return system.vector_field(flat, mu).reshape(states.shape)
    return system.driven_field(flat, mu, inputs.reshape(*flat.shape[:2], -1)).reshape(states.shape)


def signals(system: System, split: int, tasks: int, trajectories: int, times: Array, seed: int) -> Array | None:
    """The inputs `[tasks, trajectories, times, input]` of a split, None where nothing drives the family.

    Every trajectory has its own random stream, so that fewer tasks or trajectories are the first of more.
    """
    if not system.input_names:
        return None
    streams = ((task, number) for task in range(tasks) for number in range(trajectories))
    drawn_signals = [system.sample_inputs(np.random.default_rng([seed, split, *place, 1]), times) for place in streams]
    return np.stack(drawn_signals).reshape(tasks, trajectories, len(times), -1)


def instants(horizon: float, points: int, **_: object) -> Array:
    """Times `[points]` of a simulation, from 0 to the horizon."""
    return np.linspace(0.0, horizon, points)
