"""From an evaluation to records and to metrics.json."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from metastruct.config.facts import in_order, metric_facts
from metastruct.evaluation.protocol import Measurements
from metastruct.runs.records import Record


def records(evaluation: Measurements, **settings: Any) -> list[Record]:
    """One record for each value of each task; `settings` are the columns that a run shares."""
    return [
        Record(task=task, domain=domain, component=component, metric=metric, value=float(value), **settings)
        for (metric, component), values in evaluation.values.items()
        for task, (domain, value) in enumerate(zip(evaluation.domains, values, strict=True))
    ]


def summary(evaluation: Measurements) -> dict[str, Any]:
    """Mean, deviation and median over the test tasks; diverged tasks are counted and left out of the means.

    Tasks whose fit did not end at a minimum are counted, too, and those that do not agree with the training tasks,
    where the adaptation knows; so is how many observations the tasks were adapted to.

    First the metrics that stand in every summary, empty where they were not measured, then the others by name. Where
    the tasks are of several domains, `domains` holds the same for each of them.
    """
    whole = {metric: values for (metric, component), values in evaluation.values.items() if not component}
    converged = evaluation.converged
    result: dict[str, Any] = {"unconverged_tasks": None if converged is None else int((~converged).sum())}
    flagged = evaluation.flagged
    result["flagged_tasks"] = None if flagged is None else int(flagged.sum())
    if (observed := evaluation.observed) is not None:
        result["observations"] = {"least": int(observed.min()), "most": int(observed.max())}
    result |= _of(whole, evaluation.diverged)
    names = list(dict.fromkeys(evaluation.domains))
    if len(names) > 1:
        rows = {name: np.array([domain == name for domain in evaluation.domains]) for name in names}
        lost = evaluation.diverged
        result["domains"] = {
            name: _of({m: values[mask] for m, values in whole.items()}, None if lost is None else lost[mask])
            for name, mask in rows.items()
        }
    return result


def _of(whole: dict[str, np.ndarray], diverged: np.ndarray | None) -> dict[str, Any]:
    result: dict[str, Any] = {"diverged_tasks": None if diverged is None else int(diverged.sum())}
    always = [metric for metric in in_order("metric") if metric_facts(metric).headline == "always"]
    for metric in (*always, *sorted(set(whole) - set(always))):
        values = whole.get(metric)
        if values is None:
            result[metric] = {"mean": None, "std": None, "median": None, "per_task": None}
            continue
        meaningless = diverged if diverged is not None and metric_facts(metric).rolled_out else False
        kept = values[np.isfinite(values) & ~np.asarray(meaningless)]
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
