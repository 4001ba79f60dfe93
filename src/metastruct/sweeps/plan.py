"""What is done, what is missing and what failed; then doing what is missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metastruct.config.facts import headline_errors, metric_facts
from metastruct.sweeps.bundle import units
from metastruct.sweeps.estimate import Estimator
from metastruct.sweeps.launchers.launcher import Launcher, Outcome
from metastruct.sweeps.table import Planned

LOOK_EVERY = 2.0  # seconds between two looks at runs that another command works on
Say = Callable[[str], None]


@dataclass
class Plan:
    """The runs of some tables, each once, under its folder, with its state on disk."""

    jobs: dict[Path, Planned]
    finished: set[Path] = field(default_factory=set)
    failed: dict[Path, str] = field(default_factory=dict)  # with the error
    estimator: Estimator = field(default_factory=Estimator)

    @classmethod
    def of(cls, jobs: Iterable[Planned]) -> Plan:
        """What is done and what is missing of some runs."""
        plan = cls({})
        for job in jobs:
            if plan.jobs.setdefault(job.folder, job) is job:
                plan.look_at(job)
        return plan

    def look_at(self, job: Planned) -> dict[str, Any] | None:
        """Read the state of a run from disk; returns its metrics if it is finished."""
        self.failed.pop(job.folder, None)
        metrics = job.run.finished()
        if metrics is not None:
            self.finished.add(job.folder)
            self.estimator.learn(metrics)
        elif job.error.exists():
            self.failed[job.folder] = job.told
        return metrics

    def missing(self, retry: bool = False) -> list[Planned]:
        """What is to be done, in the order of the tables; with `retry` what failed, too."""
        left_out = self.finished if retry else self.finished | self.failed.keys()
        return [job for folder, job in self.jobs.items() if folder not in left_out]

    def seconds(self, jobs: Sequence[Planned], slots: int) -> float:
        """Estimated time of these jobs in so many slots."""
        return self.estimator.total(units(jobs), slots)


def carry_out(plan: Plan, launcher: Launcher, retry: bool, say: Say, replicas: int = 1) -> list[Outcome]:
    """Run what is missing, and what failed if it is to be retried; the plan then has the new state.

    A job that another command works on is left to it, and looked at again when all others have ended.

    Args:
        replicas: seeds of a setting that are trained together, at most.
    """
    todo = plan.missing(retry)
    for job in todo:
        job.forget_errors()  # those that come now are of this time
    left = {job.folder: job for job in todo}
    elsewhere: list[Planned] = []
    outcomes: list[Outcome] = []
    failed = 0

    def report(outcome: Outcome) -> None:
        nonlocal failed
        runs = [left[folder] for folder in outcome.job.folders]
        if outcome.elsewhere:
            elsewhere.extend(runs)
            return
        outcomes.append(outcome)
        for run in runs:
            metrics = plan.look_at(left.pop(run.folder))
            failed += metrics is None and outcome.error is not None
            remaining = plan.seconds([*left.values()], launcher.slots)
            text = f"failed: {outcome.error}" if metrics is None and outcome.error else told_of(metrics)
            counts = f"{len(todo) - len(left)}/{len(todo)}" + (f", {failed} failed" if failed else "")
            seconds = outcome.seconds / len(runs)
            say(f"[{counts}] {run.folder.name}  {text}, {seconds:.0f} s; about {duration(remaining)} left")

    batch = todo
    while batch:
        launcher.launch([[bundle.job for bundle in unit] for unit in units(batch, replicas)], report)
        batch = free_again(elsewhere, say)
        for job in elsewhere:  # finished, or failed, in other hands
            if job not in batch:
                plan.look_at(left.pop(job.folder))
        elsewhere.clear()
    return outcomes


def free_again(elsewhere: Sequence[Planned], say: Say) -> list[Planned]:
    """Wait until another command is done with these; returns those that it left undone."""
    left = undone(elsewhere)
    if left:
        say(f"{len(left)} runs are in the hands of another command; waiting for it")
    while any(job.held for job in left):
        time.sleep(LOOK_EVERY)
        left = undone(left)
    return left


def undone(jobs: Iterable[Planned]) -> list[Planned]:
    """Those that are not finished."""
    return [job for job in jobs if job.run.finished() is None and not job.error.exists()]


def told_of(metrics: dict[str, Any] | None) -> str:
    """The errors of a finished run, each in its unit."""
    if metrics is None:
        return "no result"
    errors = {name: metrics[name]["mean"] for name in headline_errors() if name in metrics}
    text = " / ".join("-" if error is None else metric_facts(name).text(error) for name, error in errors.items())
    lost = f", {metrics['diverged_tasks']} diverged" if metrics["diverged_tasks"] else ""
    return f"{text}{lost}"


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
