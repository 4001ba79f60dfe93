"""Differences of the log errors of two settings, paired by seed and by task, and the front of sizes and errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np

from metastruct.evaluation.effects import SMALLEST
from metastruct.paper.results import LIMIT, Results

Named = TypeVar("Named")


def logs(results: Results, metric: str) -> dict[int, np.ndarray]:
    """log error `[tasks]` by seed, errors capped at the limit."""
    by_seed: dict[int, np.ndarray] = {}
    for run in results.runs:
        if run.seed in by_seed:
            raise ValueError(f"a comparison takes one run a seed, got two of seed {run.seed}: {run['run']} is one")
        by_seed[run.seed] = np.log(np.clip(np.nan_to_num(run.values[metric], nan=LIMIT, posinf=LIMIT), SMALLEST, LIMIT))
    return by_seed


def differences(one: Results, other: Results, metric: str) -> np.ndarray | None:
    """Of the log errors, `[seeds, tasks]`; None where they share no seed."""
    first, second = logs(one, metric), logs(other, metric)
    shared = sorted(first.keys() & second.keys())
    return np.stack([first[seed] - second[seed] for seed in shared]) if shared else None


def front(points: Iterable[tuple[float, float, Named]]) -> list[tuple[float, float, Named]]:
    """The points (size, error, name), by size, whose error is below that of every smaller one."""
    best: list[tuple[float, float, Named]] = []
    for point in sorted(points, key=lambda point: point[:2]):
        if not best or point[1] < best[-1][1]:
            best.append(point)
    return best
