"""How long the runs of a sweep will take: from the seconds of finished runs like them, else of those on record."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from metastruct.config.facts import CONF, facts_of
from metastruct.runs.files import sum_file
from metastruct.runs.tables import read_records
from metastruct.sweeps.bundle import Bundle
from metastruct.sweeps.collect import EVALUATION
from metastruct.sweeps.table import Planned

STEP, REST = 4e-3, 6.0  # seconds of an outer step and of the evaluation, of what was never run
REFERENCE = CONF.parent / "outputs" / "reference"

Like = tuple[str, str]  # method and dynamics
Seconds = dict[Like, list[float]]


@dataclass
class Estimator:
    """Learns from every finished run that it is shown; before, it knows what the results of record took."""

    steps: Seconds = field(default_factory=dict)
    rests: Seconds = field(default_factory=dict)

    def learn(self, metrics: dict[str, Any]) -> None:
        """Take the seconds of a finished run into account."""
        like, seconds = (metrics["method"], metrics["dynamics"]), metrics["seconds"]
        if metrics["training_steps"]:
            self.steps.setdefault(like, []).append(seconds["training"] / metrics["training_steps"])
        self.rests.setdefault(like, []).append(sum(seconds.get(part, 0.0) for part in EVALUATION))

    def training(self, job: Planned) -> float:
        """Seconds of the training of a job, zero where it is done."""
        if not facts_of("learner", job.learner).trains or sum_file(job.training / "model.ckpt").exists():
            return 0.0
        if job.outer_steps is None:
            return job.training_seconds or 0.0
        return job.outer_steps * self._typical(job, self.steps, recorded()[0], STEP)

    def evaluation(self, job: Planned) -> float:
        """Seconds that all but the training of a job will take."""
        return self._typical(job, self.rests, recorded()[1], REST)

    def _typical(self, job: Planned, measured: Seconds, recorded: Seconds, unknown: float) -> float:
        like = job.method, job.dynamics
        duration = measured.get(like) or recorded.get(like)
        return statistics.median(duration) if duration else unknown

    def total(self, units: Iterable[Sequence[Bundle]], slots: int) -> float:
        """Seconds of all units in so many slots; seeds that are trained together count as if they were not."""
        times = [
            sum(map(self.training, unit[0].runs)) + sum(self.evaluation(run) for bundle in unit for run in bundle.runs)
            for unit in units
        ]
        return max(sum(times) / slots, *times) if times else 0.0


@cache
def recorded() -> tuple[Seconds, Seconds]:
    """Seconds of an outer step and of the evaluation of the runs on record."""
    steps: Seconds = {}
    rests: Seconds = {}
    for path in sorted(REFERENCE.glob("*/runs.csv")):
        with suppress(ValueError, KeyError):  # a damaged one tells nothing
            for line in read_records([path]):
                like = line["method"], line["dynamics"]
                if int(line["training_steps"]):
                    steps.setdefault(like, []).append(float(line["training_seconds"]) / int(line["training_steps"]))
                if rest := line.get("evaluation_seconds"):
                    rests.setdefault(like, []).append(float(rest))
    return steps, rests
