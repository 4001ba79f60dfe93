"""From an evaluation to records and to metrics.json."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from metastruct.evaluation.protocol import Evaluation
from metastruct.metrics.errors import diverged
from metastruct.runs.records import Record

HEADLINE = ("field_error", "trajectory_error", "ssim", "energy_drift")
WITHOUT_ROLLOUT = ("field_error", "ssim", "support_loss", "poisson_degeneracy", "friction_degeneracy")


def records(evaluation: Evaluation, **settings: Any) -> list[Record]:
    """One record for each value of each task; `settings` are the columns that a run shares."""
    return [
        Record(task=task, domain=domain, component=component, metric=metric, value=float(value), **settings)
        for (metric, component), values in evaluation.values.items()
        for task, (domain, value) in enumerate(zip(evaluation.domains, values, strict=True))
    ]


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """Mean, deviation and median over the test tasks; diverged tasks are counted and left out of the means.

    Where the tasks are of several domains, `domains` holds the same for each of them.
    """
    whole = {metric: values for (metric, component), values in evaluation.values.items() if not component}
    result = _of(whole)
    names = list(dict.fromkeys(evaluation.domains))
    if len(names) > 1:
        rows = {name: np.array([domain == name for domain in evaluation.domains]) for name in names}
        result["domains"] = {name: _of({m: values[rows[name]] for m, values in whole.items()}) for name in names}
    return result


def _of(whole: dict[str, np.ndarray]) -> dict[str, Any]:
    lost = diverged(whole["trajectory_error"])
    result: dict[str, Any] = {"diverged_tasks": int(lost.sum())}
    for metric in (*HEADLINE, *sorted(set(whole) - set(HEADLINE))):
        values = whole.get(metric)
        if values is None:
            result[metric] = {"mean": None, "std": None, "median": None, "per_task": None}
            continue
        rolled_out = metric not in WITHOUT_ROLLOUT
        kept = values[np.isfinite(values) & ~(lost & rolled_out)]
        result[metric] = {
            "mean": _number(np.mean(kept)) if len(kept) else None,
            "std": _number(np.std(kept)) if len(kept) else None,
            "median": _number(np.median(np.nan_to_num(values, nan=np.inf))),
            "per_task": [_number(value) for value in values],
        }
    return result


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None
