"""How often the band of a forecast holds what was seen, where nobody knows the law."""

from __future__ import annotations

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric
from metastruct.evaluation.metrics.coverage import coverage


class ForecastCoverage(Metric):
    """Share of the observations along the query, but its starts, within 1.96 standard deviations of the forecast.

    The band holds what the support left open of the code, what no code explains, the noise of the start and that of
    the observation itself.
    """

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        mean, std, states = (part[:, :, 1:] for part in (adapted.rollouts, adapted.forecast_std, adapted.query))
        names = adapted.source.state_names
        parts = {name: coverage(mean[..., k], std[..., k], states[..., k]) for k, name in enumerate(names)}
        return {"": coverage(mean, std, states)} | parts
