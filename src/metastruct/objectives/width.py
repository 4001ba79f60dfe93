"""How wide a test function should be: as wide as the bend of the trajectories allows.

The weighted mean of dx/dt that a test function of half width m sees, -Phi' x / sum Phi, has the variance of the noise
sigma^2 |Phi'|^2 / (sum Phi)^2 and, over all places, a variance of the signal, which falls as the bend is averaged away.
Wide ones average noise and ask for the field at fewer points, narrow ones lose nothing: the widest that keep nearly all
of the variance of dx/dt are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from metastruct.data.trajectory import Array, Trajectory
from metastruct.objectives.test_functions import weights

if TYPE_CHECKING:
    from metastruct.data.recordings import Recordings

NARROWEST = 5  # samples: below them the quadrature counts
KEPT = 0.85  # of the variance of dx/dt
MOST = 60  # trajectories that are looked at


def half_width(recordings: Recordings, order: int) -> int:
    """m in samples, at most a sixth of what most of the trajectories have, where that is not too narrow."""
    pairs = zip(recordings.members, recordings.noise, strict=True)
    every = [(one, noise) for member, noise in pairs for one in member.trajectories]
    length = int(np.median([len(one) for one, _ in every]))
    chosen = every[:: -(-len(every) // MOST)]
    _, slopes = recordings.slopes()
    spread = slopes.double().var(0).clamp_min(torch.finfo(torch.float64).tiny).numpy()
    widest = min(NARROWEST, max(1, (length - 1) // 2))
    for m in range(widest + 1, max(widest, length // 6) + 1):
        if not _kept(m, chosen, spread, order) >= KEPT:
            break
        widest = m
    return widest


def slope_noise(recordings: Recordings, half: int, order: int) -> Array:
    """Variance `[state]` of the noise of a single test function's mean of dx/dt, in units of that of dx/dt."""
    _, slopes = recordings.slopes()
    spread = slopes.double().var(0).clamp_min(torch.finfo(torch.float64).tiny).numpy()
    steps = [np.median(np.diff(one.times)) for each in recordings.members for one in each.trajectories if len(one) > 1]
    times = torch.arange(2 * half + 1, dtype=torch.float64)[None] * float(np.median(steps))
    values, rates = (part[0, 0] for part in weights(times, times[:, :1], times[:, -1:], order))
    variance = float((rates / values.sum()).square().sum()) * np.square(recordings.noise).mean(0)
    return np.where(spread > 1e-200, variance / spread, 0.0)


def _kept(m: int, chosen: Sequence[tuple[Trajectory, Array]], spread: Array, order: int) -> float:
    """Share of the variance of dx/dt, the least of all components that move."""
    means, noises = [], []
    for one, sigma in chosen:
        if len(one) < 2 * m + 1:
            continue
        starts = np.arange(0, len(one) - 2 * m, max(1, m // 2))
        rows = starts[:, None] + np.arange(2 * m + 1)
        times = torch.from_numpy(one.times[rows] - one.times[starts][:, None])
        values, slopes = (part[:, 0].numpy() for part in weights(times, times[:, :1], times[:, -1:], order))
        mass = values.sum(-1, keepdims=True)
        means.append(np.einsum("wk,wkc->wc", slopes / mass, one.states[rows] - one.states[starts][:, None]))
        noises.append(((slopes / mass) ** 2).sum(-1, keepdims=True) * sigma**2)
    if not means:
        return 0.0
    signal = np.concatenate(means).var(0) - np.concatenate(noises).mean(0)
    return float(np.min((signal / spread)[spread > 1e-200], initial=np.inf))
