"""How far the adapted vector field is from the law."""

from __future__ import annotations

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.errors import errors_by_component
from metastruct.evaluation.metric import Array, Metric


class FieldError(Metric):
    """|f - f_true|_2 / |f_true|_2 on the evaluation grid, of the whole state and of each component.

    NaN for a component of the law that is zero but for round-off.
    """

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        return errors_by_component(adapted.learned_field, adapted.true_field, adapted.source.state_names)
