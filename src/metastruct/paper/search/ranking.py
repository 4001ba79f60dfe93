"""Which trial comes next, and which is best: pure functions of the rows that are there."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metastruct.config.facts import basis
from metastruct.paper.search.space import METHODS, MODULATIONS
from metastruct.paper.search.trial import Attempt, Row

SEEDS = (0, 1)  # of the finalists; screening uses the first


@dataclass(frozen=True)
class Extent:
    """How much is searched: trials screened at a share of the budget, finalists taken to the whole of it."""

    trials: int
    finalists: int
    screen: float
    budget: int


def next_attempt(rows: Sequence[Row], system: str, learner: str, extent: Extent) -> Attempt | None:
    """What this method does next: screen another trial, take a finalist to the whole budget, or nothing."""
    share = extent.screen if extent.screen < 1 and METHODS[learner].trains else 1.0
    screening = Attempt(system, learner, 0, SEEDS[0], int(extent.budget * share))
    rows_so_far = [row for row in rows if row.system == system and row.learner == learner]
    finished = {(row.trial, row.seed, row.budget) for row in rows_so_far}
    for trial in range(extent.trials):
        if (trial, SEEDS[0], screening.budget) not in finished:
            return replace(screening, trial=trial)
    rivals = MODULATIONS if learner in MODULATIONS else (learner,)
    of_a_kind = [row for row in rows if row.system == system and row.learner in rivals]
    screened = [row for row in of_a_kind if row.budget == screening.budget and row.seed == SEEDS[0]]
    finalists = shared_first(screened)[: extent.finalists]
    for trial in finalists:
        for seed in SEEDS:
            if (trial, seed, extent.budget) not in finished:
                return Attempt(system, learner, trial, seed, extent.budget)
    return None


def best_first(rows: Sequence[Row]) -> list[tuple[float, Row]]:
    """Mean score over seeds of each trial and adaptation of one method, with one of its rows, best first."""
    alike: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        alike.setdefault((row.trial, row.variant), []).append(row)
    means = [(statistics.fmean(row.score for row in group), group[0]) for group in alike.values()]
    return sorted(means, key=lambda pair: (pair[0], pair[1].trial, pair[1].variant))


def shared_first(rows: Sequence[Row]) -> list[int]:
    """Trials, best first: by the geometric mean over the methods, which share them, of each one's best score."""
    scores: dict[int, dict[str, float]] = {}
    for learner in dict.fromkeys(row.learner for row in rows):
        for score, row in reversed(best_first([row for row in rows if row.learner == learner])):
            scores.setdefault(row.trial, {})[learner] = score
    most = max(map(len, scores.values()))
    whole = {trial: by_method for trial, by_method in scores.items() if len(by_method) == most}
    return sorted(whole, key=lambda trial: (math.prod(whole[trial].values()), trial))


def choose(rows: Sequence[Row]) -> dict[str, Any]:
    """The best of each system and method, among the trials with the largest budget and the most seeds."""
    chosen: dict[str, Any] = {}
    for system, learner in dict.fromkeys((row.system, row.learner) for row in rows):
        rivals = [row for row in rows if (row.system, row.learner) == (system, learner)]
        budget = max(row.budget for row in rivals)
        rivals = [row for row in rivals if row.budget == budget]
        seeds = {trial: {row.seed for row in rivals if row.trial == trial} for trial in {row.trial for row in rivals}}
        most = max(map(len, seeds.values()))
        score, row = best_first([row for row in rivals if len(seeds[row.trial]) == most])[0]
        alike = [other for other in rivals if (other.trial, other.variant) == (row.trial, row.variant)]
        length = [f"trainer.steps={row.steps}"] if row.steps else []
        words = [*METHODS[learner].overrides, *length, *row.training.split(), *row.adaptation.split()]
        chosen.setdefault(system, {})[learner] = {
            "overrides": [*words, *basis(words)],
            "score": score if math.isfinite(score) else None,
            **{error: statistics.fmean(other.errors[error] for other in alike) for error in row.errors},
            "trial": row.trial,
            "seeds": sorted(other.seed for other in alike),
            "budget": budget,
            "outer_steps": row.steps,
            "trials_of_this_budget": len(seeds),
        }
    return chosen


def read(path: Path) -> list[Row]:
    """The rows of a records file, none where there is no file."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [Row.read(line) for line in csv.DictReader(file)]
