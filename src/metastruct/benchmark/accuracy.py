"""Errors of finished runs, and what Levenberg-Marquardt makes of them."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from metastruct.benchmark.timing import OUTPUTS, WORDS, interleaved

if TYPE_CHECKING:
    from metastruct.runs.folder import RunFolder

PENDULUM: str = WORDS["main"]
LEVENBERG: str = WORDS["exact"]


def runs(words: str, seeds: Sequence[int] = (0, 1, 2)) -> list[RunFolder]:
    """The run folders of a setting, one a seed, run now where they are not finished."""
    from metastruct.sweeps.launchers.sequential import Sequential
    from metastruct.sweeps.plan import Plan, carry_out
    from metastruct.sweeps.table import planned

    jobs = [*planned("main", tuple(words.split()), seeds, OUTPUTS)]
    plan = Plan.of(jobs)
    carry_out(plan, Sequential(), True, partial(print, file=sys.stderr, flush=True))
    for error in plan.failed.values():
        raise SystemExit(f"error: {words}: {error}")
    return [job.run for job in jobs]


def accuracy(metric: str, words: str) -> float:
    """Mean over seeds and test tasks of a metric in its unit, from finished runs or new ones."""
    from metastruct.config.facts import metric_facts
    from metastruct.runs.tables import read_records, seed_means

    means = seed_means(read_records(run.records for run in runs(words)), metric)
    return metric_facts(metric).scale * statistics.mean(means.values())


def pendulum_support(*overrides: str) -> tuple[Any, Any]:
    """The model of the first seed, loaded, and the support data of its ten test tasks, 200 points each."""
    import torch

    from metastruct.api.loading import load
    from metastruct.running.assembly import build_source, component
    from metastruct.running.run import Run

    folder = runs(" ".join((PENDULUM, *overrides)), (0,))[0]
    torch.set_num_threads(1)
    config = Run.read(folder).config
    objective = component(config.objective)
    support = build_source(config, print).support(200, config.seed, objective.request)
    return load(folder.path), support


def ten_tasks(*overrides: str) -> float:
    """Seconds that Levenberg-Marquardt takes for ten new tasks at once."""
    from metastruct.config.schema import composed
    from metastruct.running.assembly import component

    model, support = pendulum_support(*overrides)
    trained, adaptation = model.trained, component(composed(LEVENBERG).adaptation)
    start, prior = trained.start(len(support), "mean"), trained.prior()

    def adapt() -> None:
        adaptation.fit(trained.model, trained.objective, support, start, prior)

    return statistics.median(interleaved(adapt, rounds=15)[0])


def levenberg_over_gradient(metric: str, *overrides: str) -> float:
    """A metric after Levenberg-Marquardt over the same after 300 gradient steps, each the mean of 3 seeds."""
    from metastruct.runs.tables import read_records, seed_means

    means = []
    for adaptation in (LEVENBERG, WORDS["stepwise"]):
        rows = read_records(run.records for run in runs(" ".join((PENDULUM, *overrides, adaptation))))
        means.append(statistics.mean(seed_means(rows, metric).values()))
    return means[0] / means[1]


def coverage(*overrides: str) -> float:
    """Per cent of the true field's components inside of their error bars of 1.96 std, at the query states."""
    from metastruct.runs.tables import read_records, seed_means

    rows = read_records(run.records for run in runs(" ".join((PENDULUM, *overrides, LEVENBERG))))
    return 100 * statistics.mean(seed_means(rows, "coverage_95").values())
