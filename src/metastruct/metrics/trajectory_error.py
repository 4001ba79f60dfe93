"""How far the adapted trajectories are from the true ones."""

from __future__ import annotations

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.errors import errors_by_component
from metastruct.evaluation.metric import Array, Metric


class TrajectoryError(Metric):
    """|x - x_true|_2 / |x_true|_2 over what is seen of all query trajectories, of the state and of each component.

    NaN for a task whose rollouts are not finite, and for a component that is zero but for round-off.
    """

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        return errors_by_component(adapted.rollouts, adapted.query, adapted.source.state_names)
