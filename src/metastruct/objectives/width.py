"""How wide a test function should be: noise against the bend of the trajectories, weighed on the training data.

The weighted mean of dx/dt that a test function of half width m sees, -Phi' x / sum Phi, has the variance of the noise

    v(m) = sigma^2 |Phi'|^2 / (sum Phi)^2

and, over all places, a variance b(m) of the signal that falls as the bend is averaged away. Test functions that hardly
overlap number 1/m, so the information about a field that errs by `misfit` besides is b / m / (v + misfit^2), with v and b
relative to the variance of dx/dt. With much noise it is largest where m is about 1/omega, without noise at the narrowest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from metastruct.objectives.test_functions import weights

if TYPE_CHECKING:
    from metastruct.data.observations import Recordings

NARROWEST = 6  # samples: below them the quadrature counts
MOST = 60  # trajectories that are looked at


def half_width(recordings: Recordings, order: int, misfit: float) -> int:
    """m in samples, at most a third of what most of the trajectories have."""
    every = [(one, noise) for m, noise in zip(recordings.members, recordings.noise, strict=True) for one in m.trajectories]
    widest = int(np.median([len(one) for one, _ in every])) // 3
    if widest <= NARROWEST:
        return max(1, min(NARROWEST, (int(np.median([len(one) for one, _ in every])) - 1) // 2))
    chosen = every[:: -(-len(every) // MOST)]
    _, slopes = recordings.slopes()
    spread = slopes.var(0).double().clamp_min(torch.finfo(torch.float64).tiny).numpy()
    candidates = np.unique(np.geomspace(NARROWEST, widest, 24).round().astype(int))
    return int(candidates[np.argmax([_information(int(m), chosen, spread, order, misfit) for m in candidates])])


def _information(m: int, chosen: list, spread: np.ndarray, order: int, misfit: float) -> float:
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
    noise = np.concatenate(noises).mean(0) / spread
    retained = (np.concatenate(means).var(0) / spread - noise).clip(0)
    return float((retained / m / (noise + misfit**2)).sum())
