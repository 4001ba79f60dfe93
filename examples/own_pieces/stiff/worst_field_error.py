"""The largest error of the adapted vector field."""

from __future__ import annotations

import numpy as np

from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.metric import Array, Metric


class WorstFieldError(Metric):
    """max |f - f_true| over the evaluation grid in units of the largest |f_true|, `[tasks]`."""

    def measure(self, adapted: Adapted) -> dict[str, Array]:
        true = adapted.true_field
        flat = (len(true), -1, true.shape[-1])
        pair = adapted.learned_field - true, true
        off, size = (np.linalg.norm(field.reshape(flat), axis=-1) for field in pair)
        return {"": off.max(axis=1) / size.max(axis=1)}
