"""What the steps of the integrator do to a rollout."""

from __future__ import annotations

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.errors import relative_error
from metastruct.evaluation.metric import Array, Metric


class IntegratorError(Metric):
    """|x_h - x_finer|_2 / |x_finer|_2 over all query trajectories, x_finer being rolled out with finer steps."""

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        return {"": relative_error(adapted.rollouts, adapted.finer_rollouts)}
