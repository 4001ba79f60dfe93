"""How far the adapted vector field is from dx/dt as it was observed, where nobody knows the law."""

from __future__ import annotations

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.errors import errors_by_component
from metastruct.evaluation.metric import Array, Metric


class ObservedFieldError(Metric):
    """|f - dx/dt|_2 / |dx/dt|_2 at the query states, under their inputs, of the whole state and of each component.

    Components are in units of their spread in training. With noisy derivatives it is at best their noise.
    """

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        learned = adapted.field(adapted.filled_points, adapted.query_inputs)
        learned = adapted.comparable(learned, slopes=True)
        observed = adapted.comparable(adapted.observed_field, slopes=True)
        return errors_by_component(learned, observed, adapted.source.state_names)
