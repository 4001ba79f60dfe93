"""What is done, what is missing and what failed; then doing what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from metastruct.launchers.launcher import Job, Launcher, Outcome
from metastruct.runs.files import is_locked
from metastruct.sweeps.estimate import Estimator
from metastruct.sweeps.table import Planned


@dataclass
class Plan:
    """The runs of some tables, each once, sorted by their state on disk."""

    jobs: list[Planned]
    done: list[Planned] = field(default_factory=list)
    missing: list[Planned] = field(default_factory=list)
    failed: dict[Planned, str] = field(default_factory=dict)  # with the error
    estimator: Estimator = field(default_factory=Estimator)

    @classmethod
    def of(cls, jobs: Sequence[Planned]) -> Plan:
        plan = cls([*{job.folder: job for job in jobs}.values()])
        for job in plan.jobs:
            metrics = job.run.finished()
            if metrics is not None:
                plan.done.append(job)
                plan.estimator.learn(metrics)
            elif job.error.exists():
                plan.failed[job] = job.error.read_text().strip()
            else:
                plan.missing.append(job)
        return plan

    def units(self, jobs: Sequence[Planned]) -> list[list[Planned]]:
        """Jobs that share a training together, in the order of the tables."""
        units: dict[Any, list[Planned]] = {}
        for job in jobs:
            units.setdefault(job.training, []).append(job)
        return [*units.values()]

    def seconds(self, jobs: Sequence[Planned], slots: int) -> float:
        """Estimated time of these jobs in so many slots."""
        return self.estimator.total(self.units(jobs)) / slots


def carry_out(plan: Plan, launcher: Launcher, retry: bool, say: Callable[[str], None]) -> list[Outcome]:
    """Run what is missing, and what failed if it is to be retried.

    A job that another command works on is left to it, and looked at again when the others have ended.
    """
    jobs = [*plan.missing, *(plan.failed if retry else ())]
    outcomes: list[Outcome] = []
    planned = {job.folder: job for job in jobs}
    total, left = len(jobs), set(planned)

    def report(outcome: Outcome) -> None:
        outcomes.append(outcome)
        left.discard(outcome.job.folder)
        metrics = planned[outcome.job.folder].run.finished()
        if metrics is not None:
            plan.estimator.learn(metrics)
        remaining = plan.seconds([planned[folder] for folder in left], launcher.slots)
        told = f"failed: {outcome.error}" if outcome.error else told_of(metrics)
        say(f"[{total - len(left)}/{total}] {outcome.job.folder.name}  {told}, {outcome.seconds:.0f} s; "
            f"about {duration(remaining)} left")  # fmt: skip

    while jobs:
        units = plan.units(jobs)
        ours = [unit for unit in units if not any(is_locked(job.folder) or is_locked(job.training) for job in unit)]
        others = [job for unit in units if unit not in ours for job in unit]
        if not ours:
            say(f"{len(others)} runs are in the hands of another command")
            ours, others = units, []
        launcher.launch([[Job(job.overrides, job.folder) for job in unit] for unit in ours], report)
        jobs = [job for job in others if job.run.finished() is None]
        for job in others:
            if job not in jobs:
                left.discard(job.folder)
    return outcomes


def told_of(metrics: dict[str, Any] | None) -> str:
    """The errors of a finished run, x 1e-2."""
    if metrics is None:
        return "no result"
    errors = (metrics[name]["mean"] for name in ("field_error", "trajectory_error"))
    told = " / ".join("-" if error is None else f"{100 * error:.2f}" for error in errors)
    lost = f", {metrics['diverged_tasks']} diverged" if metrics["diverged_tasks"] else ""
    return f"{told}{lost}"


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
