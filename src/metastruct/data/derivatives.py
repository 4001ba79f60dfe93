"""dx/dt of trajectories of which only the states are seen, by the well-known estimates of libraries.

    spline   slope of a smoothing spline, its strength by generalised cross-validation (scipy.interpolate)
    savgol   slope of local cubic polynomials, at equally spaced instants (scipy.signal)
    finite   central differences (numpy)

Differences of noisy states are noisier by far: 1 % of noise at 20 Hz becomes 20 % of the derivative. `objective=weak`
needs none of this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.interpolate import make_smoothing_spline
from scipy.signal import savgol_filter

from metastruct.data.trajectory import Array, Member, Trajectory

FEWEST = 5  # instants of a smoothing spline
SPAN, DEGREE = 11, 3  # instants of a local polynomial, at most, and its degree
EVEN = 1e-6  # of the intervals, relative


def spline(one: Trajectory) -> Array:
    """Errors as of `with_derivatives`."""
    if len(one) < FEWEST:
        raise ValueError(f"data.derivatives=spline needs trajectories of at least {FEWEST} instants, got {len(one)}")
    unit = one.times[-1] - one.times[0]
    scaled = (one.times - one.times[0]) / unit
    slopes: Array = np.stack([make_smoothing_spline(scaled, x).derivative()(scaled) for x in one.states.T], -1) / unit
    return slopes


def savgol(one: Trajectory) -> Array:
    """Errors as of `with_derivatives`."""
    steps = np.diff(one.times)
    if len(one) <= DEGREE + 1:
        raise ValueError(
            f"data.derivatives=savgol needs trajectories of at least {DEGREE + 2} instants, got {len(one)}"
        )
    if np.ptp(steps) > EVEN * steps.mean():
        raise ValueError("data.derivatives=savgol needs equally spaced instants; use spline or finite")
    span = min(SPAN, len(one) - 1 + len(one) % 2)
    return np.asarray(savgol_filter(one.states, span, DEGREE, deriv=1, delta=steps.mean(), axis=0))


def finite(one: Trajectory) -> Array:
    """Errors as of `with_derivatives`."""
    if len(one) < 2:
        raise ValueError("data.derivatives=finite needs trajectories of at least two instants, got one")
    return np.asarray(np.gradient(one.states, one.times, axis=0))


ESTIMATES: dict[str, Callable[[Trajectory], Array]] = {"spline": spline, "savgol": savgol, "finite": finite}


def with_derivatives(members: Sequence[Member], how: str | None) -> tuple[Member, ...]:
    """The members with estimated derivatives, instead of any that are there; None: as they are.

    Raises:
        ValueError: a trajectory is too short, or its instants are not those that the estimate needs.
    """
    if how is None:
        return tuple(members)
    estimate = ESTIMATES[how]
    return tuple(
        replace(
            member,
            trajectories=tuple(
                replace(one, derivatives=estimate(one), derivative_noise=None) for one in member.trajectories
            ),
        )
        for member in members
    )
