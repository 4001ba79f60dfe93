"""How far the adapted trajectories are from the true ones."""

from __future__ import annotations

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.errors import errors_by_component
from metastruct.evaluation.metric import Array, Metric


class TrajectoryError(Metric):
    """|x - x_true|_2 / |x_true|_2 over what is seen of all query trajectories, of the state and of each component.

    Without a law, components are in units of their spread in training, from their mean. NaN for a task whose rollouts
    are not finite, and for a component that is zero but for round-off.
    """

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        rollouts, query = adapted.comparable(adapted.rollouts), adapted.comparable(adapted.query)
        return errors_by_component(rollouts, query, adapted.source.state_names)
