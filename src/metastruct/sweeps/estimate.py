"""How long the runs of a sweep will take: from the seconds of finished runs like them, else from what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from metastruct.runs.files import sum_file
from metastruct.sweeps.bundle import Bundle
from metastruct.sweeps.table import Planned

STEP = 4e-3  # seconds of an outer step of auto-decoding on one core of a small machine
SLOWER = {"maml": 6.0, "anil": 1.3, "reptile": 2.0, "pretrained": 0.7}  # outer steps over one of auto-decoding
GENERIC = 2.0  # a step of GENERIC dynamics over a Hamiltonian one
EVALUATION = 6.0  # seconds to adapt and to measure

Like = tuple[str, str]  # method and dynamics


@dataclass
class Estimator:
    """Learns from every finished run that it is shown."""

    steps: dict[Like, list[float]] = field(default_factory=dict)
    rests: dict[Like, list[float]] = field(default_factory=dict)

    def learn(self, metrics: dict[str, Any]) -> None:
        like, seconds = (metrics["method"], metrics["dynamics"]), metrics["seconds"]
        if metrics["training_steps"]:
            self.steps.setdefault(like, []).append(seconds["training"] / metrics["training_steps"])
        parts = ("adaptation", "rollout", "metrics", "figures")
        self.rests.setdefault(like, []).append(sum(seconds.get(part, 0.0) for part in parts))

    def training(self, job: Planned) -> float:
        """Seconds of the training of a job, zero where it is done."""
        if job.learner == "scratch" or sum_file(job.training / "model.ckpt").exists():
            return 0.0
        if measured := self.steps.get((job.method, job.dynamics)):
            return job.outer_steps * statistics.median(measured)
        generic = GENERIC if job.dynamics.startswith("generic") else 1.0
        return job.outer_steps * STEP * SLOWER.get(job.learner, 1.0) * generic

    def evaluation(self, job: Planned) -> float:
        measured = self.rests.get((job.method, job.dynamics))
        return statistics.median(measured) if measured else EVALUATION

    def total(self, units: Iterable[Sequence[Bundle]], slots: int) -> float:
        """Seconds of all units in so many slots; seeds that are trained together count as if they were not."""
        times = [
            sum(map(self.training, unit[0].runs)) + sum(self.evaluation(run) for bundle in unit for run in bundle.runs)
            for unit in units
        ]
        return max(sum(times) / slots, *times) if times else 0.0
