"""Is what a member does not explain of its observations noise, or motion?"""

from __future__ import annotations

import numpy as np

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric

LAGS = 10
SHARE = 5  # samples a lag, at least


class ResidualWhiteness(Metric):
    """The statistic of Ljung and Box over its degrees of freedom, the mean over query trajectories and components.

        Q = n (n + 2) sum_k rho_k^2 / (n - k),   rho_k = sum_i r_i r_(i+k) / max(sum_i r_i^2, n sigma^2/4),  k = 1..h

    of the residuals r of the best start of each trajectory, h = 10 or a fifth of the samples. About 1 where they are
    white, below where they vanish beside the noise sigma, well above where the member lacks something.

    Source: Ljung and Box (1978), On a measure of lack of fit in time series models.
    """

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        noise, residuals = np.nan_to_num(adapted.noise), adapted.residuals
        ratios = np.full((*residuals.shape[:2], residuals.shape[-1]), np.nan)
        for task, trajectory in np.ndindex(residuals.shape[:2]):
            finite = ~np.isnan(adapted.query[task, trajectory]).any(-1)
            if finite.sum() > SHARE:
                ratios[task, trajectory] = ljung_box(residuals[task, trajectory][finite], noise)
        lost = np.isnan(residuals).all((1, 2, 3))
        counts = ~np.isnan(ratios)
        with np.errstate(invalid="ignore"):
            means = np.where(counts, ratios, 0.0).sum(1) / counts.sum(1)
            whole = np.where(counts, ratios, 0.0).sum((1, 2)) / counts.sum((1, 2))
        names = adapted.source.state_names
        means, whole = np.where(lost[:, None], np.nan, means), np.where(lost, np.nan, whole)
        return {"": whole} | dict(zip(names, means.T, strict=True))


def ljung_box(residuals: Array, noise: Array) -> Array:
    """Q/h of residuals `[samples, state]`, `[state]`; chi-square with h degrees of freedom over h where they are white.

    Args:
        noise: half of it is what autocorrelation is at least measured against, `[state]`.
    """
    count = len(residuals)
    lags = min(LAGS, count // SHARE)
    floor = np.maximum(np.square(residuals).sum(0), count * np.square(noise / 2))
    floor = np.where(floor > 0, floor, 1.0)
    total = np.zeros(residuals.shape[1])
    for lag in range(1, lags + 1):
        rho = (residuals[:-lag] * residuals[lag:]).sum(0) / floor
        total += rho**2 / (count - lag)
    return count * (count + 2) * total / lags
