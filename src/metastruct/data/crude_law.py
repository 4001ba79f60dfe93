"""How f changes with x, before anything is learned: from a polynomial law of each member.

    dx/dt ~ sum_k c_k m_k(x),   m_k the monomials up to a degree,   Df = sum_k c_k dm_k/dx

fitted by ridge regression to the slopes of the smoothed states. Good enough for weights, where an error costs little.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
from scipy.interpolate import CubicSpline

from metastruct.data.trajectory import Array, Member

DEGREE = 3
SAMPLES = 5  # of a member for each monomial, at least; else the degree is lower
RIDGE = 1e-4  # share of the mean square of the monomials


def sensitivities(member: Member, smooth: Sequence[Array]) -> list[Array]:
    """Df `[instants, state, state]` along the trajectories of a member, from their smoothed states."""
    longer = [(one, x) for one, x in zip(member.trajectories, smooth, strict=True) if len(one) > 2]
    size = smooth[0].shape[-1]
    if not longer:
        return [np.zeros((len(x), size, size)) for x in smooth]
    states = np.concatenate([x for _, x in longer])
    slopes = np.concatenate([CubicSpline(one.times, x).derivative()(one.times) for one, x in longer])
    inputs = [] if longer[0][0].inputs is None else [np.concatenate([one.inputs for one, _ in longer])]
    centre, spread = states.mean(0), states.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    degree = max(d for d in range(1, DEGREE + 1) if d == 1 or SAMPLES * len(_powers(size, d)) <= len(states))
    powers = _powers(size, degree)
    features = np.concatenate([_monomials((states - centre) / spread, powers), *inputs], -1)
    scale = np.sqrt((features**2).mean(0))
    features = features / np.where(scale > 0, scale, 1.0)
    gram = features.T @ features + RIDGE * len(features) * np.eye(features.shape[1])
    law = np.linalg.solve(gram, features.T @ (slopes - slopes.mean(0))) / np.where(scale > 0, scale, 1.0)[:, None]
    law = law[: len(powers)]
    return [np.einsum("npe,pc->nce", _changes((x - centre) / spread, powers) / spread, law) for x in smooth]


def _powers(size: int, degree: int) -> list[tuple[int, ...]]:
    """Exponents of each monomial of degree one and more."""
    words = [word for d in range(1, degree + 1) for word in combinations_with_replacement(range(size), d)]
    return [tuple(word.count(axis) for axis in range(size)) for word in words]


def _monomials(x: Array, powers: Sequence[tuple[int, ...]]) -> Array:
    return np.stack([np.prod(x ** np.array(power), axis=-1) for power in powers], -1)


def _changes(x: Array, powers: Sequence[tuple[int, ...]]) -> Array:
    """dm/dx `[instants, monomials, state]`."""
    columns = []
    for axis in range(x.shape[-1]):
        lower = [tuple(max(0, e - (k == axis)) for k, e in enumerate(power)) for power in powers]
        columns.append(_monomials(x, lower) * np.array([power[axis] for power in powers]))
    return np.stack(columns, -1)
