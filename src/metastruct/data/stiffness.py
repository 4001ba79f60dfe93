"""How often a simulation asks for its law at least, estimated from the law at the starts before anything is integrated.

An explicit scheme of order eight is stable where its step times the spectral radius of J = df/dx is below about six,
and makes twelve evaluations a step, whether fast motion is there to be seen or has long died away (Hairer, Wanner,
Solving Ordinary Differential Equations II, IV.2). Motion that is there costs more: to follow cos(w t) to the tolerance
tau takes steps of h = 6.25 tau^(1/8)/w. A start turns at the rate w = |x''|/|x'| with x'' = J x', in the norm of the
integrator. What decays as exp(-a t) takes as many steps as 8/a of undamped motion, for steps grow as its eighth root.

This is an estimate from below. Where it comes near to what is allowed, a few members are integrated for a moment, and
their pace tells.
"""

from __future__ import annotations

import time

import numpy as np

from metastruct.config.work import FIX, most
from metastruct.data.draws import drawn
from metastruct.data.trajectory import Array
from metastruct.systems.system import System

FINEST = 1_024  # steps from one instant of an input to the next
MOST = 300_000  # evaluations of the law for all members at once; a usual simulation takes some thousands
STABLE, STAGES, ORDER = 6.0, 12, 8
FOLLOWED = 8.0  # w h at a tolerance of one; more than the 6.25 of cosines, so that the estimate is one from below
MEMBERS, SHIFT = 8, 1e-6  # that are looked at; of a state, for differences
STILL = 1e-6  # of the spectral radius, below which a mode does not turn
NEAR, TRIAL = 0.01, 1_500  # share of what is allowed from which a trial is made, and its evaluations
UNSURE = 1.2  # of what a trial expects


def bound_of(tolerance: float, components: int) -> float:
    """The tolerance of each of so many components that are integrated at once."""
    return max(float(tolerance / np.sqrt(components)), 1e-13)


def check_stiffness(system: System, horizon: float, points: int, bound: float, seed: int) -> None:
    """Refuse a law that half of its members make too fast for the integrator, from `horizon` and `points`.

    Args:
        bound: the tolerance of each component.

    Raises:
        ValueError: names the system and a member.
    """
    mu, starts = drawn(system, 1, MEMBERS * system.families, 1, seed)
    began = time.perf_counter()
    system.vector_field(starts, mu)
    seconds, limit = time.perf_counter() - began, most(MOST)
    if system.input_names:  # equal steps from instant to instant
        limit, bound = STAGES * most(FINEST) * (points - 1), 1.0
    counts, rates, share = evaluations(system, starts, mu, horizon, bound)
    count = float(np.quantile(counts, 0.5, method="lower"))
    moves = float(np.quantile(share, 0.5))
    if moves and not system.input_names and NEAR * limit < count <= limit:
        count = max(count, trial(system, starts, mu, horizon, bound, moves) / UNSURE)
    if count > limit:
        raise ValueError(
            f"simulating {system.name} to data.horizon = {horizon:g} would take {count:.0e} evaluations of its law, at "
            f"least {count * seconds:,.0f} s, of which {limit:,} are made: its members change at rates as "
            f"{np.quantile(rates, 0.5, method='lower'):.0e}, such as {system.described(mu[[rates.argmax()]])[0]}; "
            f"lower data.horizon, choose other system.parameters, or {FIX}"
        )


def trial(system: System, starts: Array, mu: Array, horizon: float, bound: float, share: float) -> float:
    """How often these members together would ask for their law, at the pace of the second half of a trial.

    Args:
        starts, mu: `[members, 1, state]` and `[members, parameters]`.
        share: of the horizon, in which there is motion.
    """
    from scipy.integrate import DOP853

    solver = DOP853(
        lambda t, flat: system.vector_field(flat.reshape(starts.shape), mu).ravel(),
        0.0, starts.ravel(), horizon, rtol=bound, atol=bound,
    )  # fmt: skip
    half, begun = 0, 0.0
    while solver.status == "running" and solver.nfev < TRIAL:
        solver.step()
        if solver.nfev <= TRIAL / 2:
            half, begun = solver.nfev, solver.t
    if solver.status != "running" or solver.t <= begun:
        return float(solver.nfev)
    pace = (solver.nfev - half) / (solver.t - begun)
    return float(solver.nfev + pace * max(0.0, share * horizon - solver.t))


def evaluations(system: System, starts: Array, mu: Array, horizon: float, bound: float) -> tuple[Array, Array, Array]:
    """How often each member alone would ask for its law at least, its spectral radius, and its share of motion in time.

    Each `[members]`; motion that dies away is there for as long as undamped motion that costs as much.

    Args:
        starts: `[members, 1, state]`.
        bound: the tolerance of each component; one: where it does not decide.
    """
    slopes = jacobians(system, starts, mu)
    modes = np.linalg.eigvals(slopes)
    rates = np.abs(modes).max(-1)
    span = lives(modes, horizon)
    turned = span * turning(system.vector_field(starts, mu)[:, 0], slopes, 1 + np.abs(starts[:, 0]))
    followed = turned / (FOLLOWED * bound ** (1 / ORDER))
    return STAGES * np.maximum(rates * horizon / STABLE, followed), rates, span / horizon


def turning(field: Array, slopes: Array, scale: Array) -> Array:
    """The rate w `[members]` at which starts turn.

    Args:
        field, slopes: x' `[members, state]` and J `[members, state, state]`.
        scale: of the components, as the integrator weighs their errors.
    """
    change = (slopes @ field[..., None])[..., 0] / scale
    with np.errstate(all="ignore"):
        rate: Array = np.nan_to_num(np.linalg.norm(change, axis=-1) / np.linalg.norm(field / scale, axis=-1))
    return rate


def lives(modes: Array, horizon: float) -> Array:
    """The time `[members]` of undamped motion that costs as much as that of modes `[members, state]` to the horizon."""
    with np.errstate(all="ignore"):
        life = np.where(modes.real < 0, np.minimum(ORDER / -modes.real, horizon), horizon)
    turns = np.abs(modes.imag) > STILL * np.abs(modes).max(-1, keepdims=True)
    spans: Array = np.where(turns, life, 0.0).max(-1)
    return spans


def jacobians(system: System, starts: Array, mu: Array) -> Array:
    """df/dx `[members, state, state]` at starts `[members, 1, state]`, zero where the law is not finite."""
    columns = []
    with np.errstate(all="ignore"):
        for component in range(starts.shape[-1]):
            shift = np.zeros(starts.shape[-1])
            shift[component] = SHIFT
            up, down = (system.vector_field(starts + sign * shift, mu)[:, 0] for sign in (1, -1))
            columns.append((up - down) / (2 * SHIFT))
    slopes: Array = np.stack(columns, -1)
    slopes[~np.isfinite(slopes).all((-2, -1))] = 0.0
    return slopes
