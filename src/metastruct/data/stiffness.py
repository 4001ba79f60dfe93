"""How often a simulation asks for its law at least, estimated from the rates of the law before anything is integrated.

An explicit scheme of order eight is stable where its step times the spectral radius of df/dx is below about six, and
makes twelve evaluations a step, whether fast motion is there to be seen or has long died away (Hairer, Wanner, Solving
Ordinary Differential Equations II, IV.2).
"""

from __future__ import annotations

import numpy as np

from metastruct.data.draws import drawn
from metastruct.data.trajectory import Array
from metastruct.systems.system import System

FINEST = 1_024  # steps from one instant of an input to the next
MOST = 300_000  # evaluations of the law for all members at once; a usual simulation takes some thousands
STABLE, STAGES = 6.0, 12
MEMBERS, SHIFT = 8, 1e-6  # that are looked at; of a state, for differences


def check_stiffness(system: System, horizon: float, points: int, seed: int) -> None:
    """Refuse a law that half of its members make too fast for the integrator, from `horizon` and `points`.

    Raises:
        ValueError: names the system and a member.
    """
    mu, starts = drawn(system, 1, MEMBERS * system.families, 1, seed)
    rates = fastest(system, starts, mu)
    rate = float(np.quantile(rates, 0.5, method="lower"))
    count, most = STAGES * rate * horizon / STABLE, MOST
    if system.input_names:  # equal steps from instant to instant
        most = STAGES * FINEST * (points - 1)
    if count > most:
        raise ValueError(
            f"simulating {system.name} to data.horizon = {horizon:g} would take {count:.0e} evaluations of its law, of "
            f"which {most:,} are made: its members change at rates as {rate:.0e}, such as "
            f"{system.described(mu[[rates.argmax()]])[0]}; lower data.horizon, or choose other system.parameters"
        )


def fastest(system: System, starts: Array, mu: Array) -> Array:
    """The spectral radius of df/dx `[members]` at starts `[members, 1, state]`, zero where the law is not finite."""
    jacobians = []
    with np.errstate(all="ignore"):
        for component in range(starts.shape[-1]):
            shift = np.zeros(starts.shape[-1])
            shift[component] = SHIFT
            up, down = (system.vector_field(starts + sign * shift, mu)[:, 0] for sign in (1, -1))
            jacobians.append((up - down) / (2 * SHIFT))
    slopes = np.stack(jacobians, -1)
    slopes[~np.isfinite(slopes).all((-2, -1))] = 0.0
    rates: Array = np.abs(np.linalg.eigvals(slopes)).max(-1)
    return rates
