"""Comparison of two settings: the ratio of their errors with a bootstrap interval, paired by seed and by task.

Both settings were measured on the same test tasks, so for every shared seed s and task k there is a difference

    d[s, k] = log error of the one - log error of the other = m + a[s] + b[k] + rest.

The ratio is exp(m). Its interval comes from drawing the seed effects a and the task effects b with repetition. A plain
bootstrap of three seeds covers the truth in 75 % of cases and not in 95 %: it never leaves the range of the three. So
effects drawn from n values are stretched by sqrt(n / (n - 1)) t(n - 1) / t(infinity), after which the interval of n
values alone is about Student's. With one seed the interval speaks of the spread over tasks alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.special import ndtri, stdtrit

from metastruct.paper.results import LIMIT, Results

DRAWS, SEED, LEVEL = 2000, 0, 0.95
Named = TypeVar("Named")
SMALLEST = 1e-12  # an error of zero has no logarithm


@dataclass(frozen=True)
class Ratio:
    """Error of one setting over that of another."""

    value: float
    low: float
    high: float
    seeds: int

    @property
    def below(self) -> bool:
        """Does the whole interval lie below one?"""
        return self.high < 1

    @property
    def above(self) -> bool:
        """Is the whole interval above one?"""
        return self.low > 1

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def ratio(one: Results, other: Results, metric: str) -> Ratio | None:
    """Error of `one` over that of `other`; None where they share no seed. A diverged task counts with the limit."""
    first, second = logs(one, metric), logs(other, metric)
    shared = sorted(first.keys() & second.keys())
    return interval(np.stack([first[seed] - second[seed] for seed in shared])) if shared else None


def interval(differences: np.ndarray) -> Ratio:
    """From differences of logarithms `[seeds, tasks]`."""
    mean, rng = differences.mean(), np.random.default_rng(SEED)
    drawn = mean + sum(redrawn(differences.mean(axis) - mean, rng) for axis in (1, 0))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Ratio(float(np.exp(mean)), float(np.exp(low)), float(np.exp(high)), len(differences))


def redrawn(effects: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means of as many effects, drawn with repetition and stretched for their small number, `[draws]`."""
    count = len(effects)
    if count == 1:
        return np.zeros(DRAWS)
    stretch = np.sqrt(count / (count - 1)) * stdtrit(count - 1, (1 + LEVEL) / 2) / ndtri((1 + LEVEL) / 2)
    return stretch * effects[rng.integers(count, size=(DRAWS, count))].mean(axis=1)


def front(points: Iterable[tuple[float, float, Named]]) -> list[tuple[float, float, Named]]:
    """The points (size, error, name), by size, whose error is below that of every smaller one."""
    best: list[tuple[float, float, Named]] = []
    for point in sorted(points, key=lambda point: point[:2]):
        if not best or point[1] < best[-1][1]:
            best.append(point)
    return best


def logs(results: Results, metric: str) -> dict[int, np.ndarray]:
    """log error `[tasks]` by seed, errors capped at the limit."""
    by_seed: dict[int, np.ndarray] = {}
    for run in results.runs:
        if run.seed in by_seed:
            raise ValueError(f"a comparison takes one run a seed, got two of seed {run.seed}: {run['run']} is one")
        by_seed[run.seed] = np.log(np.clip(np.nan_to_num(run.values[metric], nan=LIMIT, posinf=LIMIT), SMALLEST, LIMIT))
    return by_seed
