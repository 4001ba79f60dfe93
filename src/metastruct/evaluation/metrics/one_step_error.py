"""How far a member is off after one sampling interval, where nobody knows the law."""

from __future__ import annotations

import numpy as np

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric


class OneStepError(Metric):
    """|predicted - seen| / |seen - before|, root mean squares over all steps in units of the spread.

    Every step begins at an observation. One is what a member has that stays where it is; noise alone gives about
    sqrt(2) sigma over the size of a step, which is much where samples are dense.
    """

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        predicted, steps = (values / adapted.spread for values in adapted.steps)
        unseen = np.isnan(steps)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            wrong = np.where(unseen, 0.0, np.square(predicted - steps)).sum((1, 2))
            moved = np.where(unseen, 0.0, np.square(steps)).sum((1, 2))
            whole, parts = np.sqrt(wrong.sum(-1) / moved.sum(-1)), np.sqrt(wrong / moved)
        return {"": whole} | dict(zip(adapted.source.state_names, parts.T, strict=True))
