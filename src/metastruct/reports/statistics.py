"""Comparison of two settings: the ratio of their errors with a bootstrap interval, paired by seed and by task.

Both settings were measured on the same test tasks, so for every shared seed s and task k there is a difference
d[s, k] = log error of the one - log error of the other. The ratio is exp of its mean; the interval comes from drawing
seeds and tasks with repetition. With one seed it speaks of the spread over tasks alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metastruct.reports.results import LIMIT, Results

DRAWS, SEED, LEVEL = 2000, 0, 0.95


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
        return self.low > 1

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def ratio(one: Results, other: Results, metric: str) -> Ratio | None:
    """Error of `one` over that of `other`; None where they share no seed. A diverged task counts with the limit."""
    ours, theirs = logs(one, metric), logs(other, metric)
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        return None
    differences = np.stack([ours[seed] - theirs[seed] for seed in shared])
    return interval(differences)


def interval(differences: np.ndarray) -> Ratio:
    """From differences of logarithms `[seeds, tasks]`."""
    seeds, tasks = differences.shape
    rng = np.random.default_rng(SEED)
    rows = rng.integers(seeds, size=(DRAWS, seeds, 1))
    columns = rng.integers(tasks, size=(DRAWS, 1, tasks))
    means = differences[rows, columns].mean(axis=(1, 2))
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Ratio(*np.exp([differences.mean(), low, high]).tolist(), seeds)


def logs(results: Results, metric: str) -> dict[int, np.ndarray]:
    """log error `[tasks]` by seed."""
    return {
        run.seed: np.log(np.clip(np.nan_to_num(run.values[metric], nan=LIMIT, posinf=LIMIT), 1e-12, LIMIT))
        for run in results.runs
    }
