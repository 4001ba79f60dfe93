"""How well a member explains what was observed of it."""

from __future__ import annotations

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric


class SupportLoss(Metric):
    """The loss of the support observations at the end of the adaptation."""

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        return {"": adapted.fit.trace[-1].cpu().numpy()}
