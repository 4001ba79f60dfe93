"""How often an error bar holds dx/dt as it was observed, where nobody knows the law."""

from __future__ import annotations

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric
from metastruct.evaluation.metrics.coverage import LEVEL, coverage


class ObservedCoverage(Metric):
    """Share of the components of dx/dt along the query that lie inside of error bars of 95 % of the adapted field.

    Error bars are of the field: errors of the observation itself come on top.
    """

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        bars = adapted.error_bars(adapted.filled_points, LEVEL, adapted.query_inputs)
        return {"": coverage(*bars, adapted.observed_field)}
