"""Smoothing splines of trajectories whose noise is known.

    x~ = argmin sum_i (x_i - g(t_i))^2 + lambda int g''^2 = (I + lambda K)^-1 x,   K = Q R^-1 Q^T

(Reinsch 1967). In the eigenvectors of K, which depend on the instants alone, every lambda costs nothing, so the one of
the least expected error is taken, for each component of a member (Mallows' C_p; Craven and Wahba 1979):

    C_p(lambda) = |x - x~|^2 + 2 sigma^2 tr (I + lambda K)^-1.

Without noise nothing is smoothed. The natural cubic spline through x~ is g, whose slope estimates dx/dt.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.interpolate import make_smoothing_spline

from metastruct.data.trajectory import Array, Trajectory

STRENGTHS = np.concatenate([[0.0], np.logspace(-8, 10, 73)])  # lambda in cubes of the mean interval
LONGEST = 400  # instants of which the eigenvectors are asked; a longer one has its lambda from its first part


def smoothed(trajectories: Sequence[Trajectory], noise: Array) -> list[Array]:
    """x~ `[instants, state]` of the trajectories of one member, whose noise has the standard deviations `[state]`."""
    strengths = _strengths(trajectories, noise)
    return [_at(one, strengths) for one in trajectories]


def _strengths(trajectories: Sequence[Trajectory], noise: Array) -> Array:
    """lambda of each component `[state]`, in units of time cubed."""
    units = [one for one in trajectories if len(one) > 3]
    if not units or not noise.any():
        return np.zeros(len(noise))
    unit = np.median([np.diff(one.times).mean() for one in units]) ** 3
    scores = 0.0
    for one in units:
        times, states = one.times[:LONGEST], one.states[:LONGEST]
        values, vectors, scale = _decomposed(times.tobytes())
        kept = 1 / (1 + (STRENGTHS * unit / scale)[:, None] * values)  # [strengths, instants]
        coefficients = vectors.T @ (states - states.mean(0))
        scores = scores + (1 - kept) ** 2 @ coefficients**2 + 2 * kept.sum(1)[:, None] * noise**2
    return np.where(noise > 0, unit * STRENGTHS[np.argmin(scores, axis=0)], 0.0)


def _at(one: Trajectory, strengths: Array) -> Array:
    if len(one) < 4 or not strengths.any():
        return one.states
    if len(one) > LONGEST:
        columns = [
            make_smoothing_spline(one.times, x, lam=lam)(one.times) if lam > 0 else x
            for x, lam in zip(one.states.T, strengths, strict=True)
        ]
        return np.stack(columns, -1)
    values, vectors, scale = _decomposed(one.times.tobytes())
    centre = one.states.mean(0)
    kept = 1 / (1 + values[:, None] * strengths / scale)
    smooth: Array = centre + vectors @ (kept * (vectors.T @ (one.states - centre)))
    return smooth


@lru_cache(maxsize=64)
def _decomposed(instants: bytes) -> tuple[Array, Array, float]:
    """Eigenvalues and eigenvectors of K for intervals of mean one, and the cube of their mean."""
    times = np.frombuffer(instants)
    mean = float(np.diff(times).mean())
    h = np.diff(times) / mean
    n, inner = len(times), np.arange(len(times) - 2)
    q = np.zeros((n, n - 2))
    q[inner, inner], q[inner + 2, inner] = 1 / h[:-1], 1 / h[1:]
    q[inner + 1, inner] = -1 / h[:-1] - 1 / h[1:]
    r = np.diag((h[:-1] + h[1:]) / 3) + np.diag(h[1:-1] / 6, 1) + np.diag(h[1:-1] / 6, -1)
    values, vectors = np.linalg.eigh(q @ np.linalg.solve(r, q.T))
    return values.clip(0), vectors, mean**3
