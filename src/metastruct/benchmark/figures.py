"""Every figure of merit with its bar."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from metastruct.benchmark.accuracy import PENDULUM, accuracy, coverage, levenberg_over_gradient, ten_tasks
from metastruct.benchmark.members import hundred_rollouts, one_member, one_rollout, thousand_members
from metastruct.benchmark.processes import (
    main_table,
    main_table_on_record,
    report_from_records,
    start_up,
    whole_process,
)
from metastruct.benchmark.steps import (
    batched_over_loop,
    generic_over_hamiltonian,
    maml_over_loop,
    replicas_over,
    step_over_floor,
    step_over_products,
    svd_over_shift,
    trainer_over_bare,
    training_over_before,
)
from metastruct.benchmark.timing import WORDS
from metastruct.config.facts import metric_facts, options
from metastruct.running.validation.values import has_compiler
from metastruct.sweeps.launchers.gpu_pool import visible_gpus

NO_BAR = math.inf


@dataclass(frozen=True)
class Figure:
    """Something to measure, in a unit, that must be at most its bar, or at least.

    Args:
        measure: takes seconds to minutes.
    """

    name: str
    measure: Callable[[], float]
    bar: float = NO_BAR
    unit: str = "x"
    at_least: bool = False

    def holds(self, value: float) -> bool:
        """Does a measured value clear the bar?"""
        return value >= self.bar if self.at_least else value <= self.bar

    @property
    def limit(self) -> str:
        """The bar in words."""
        return f"{'at least' if self.at_least else 'at most'} {self.bar:g} {self.unit}" if self.has_bar else "no bar"

    @property
    def has_bar(self) -> bool:
        """Is there one?"""
        return math.isfinite(self.bar)


def figures() -> list[Figure]:
    """All of them; those of a GPU where there is one."""
    return [*steps(), *processes(), *errors(), *adaptations()]


def steps() -> list[Figure]:
    """Of outer steps and the training around them."""
    listed = [
        Figure(WORDS["low_over_no_rank"], svd_over_shift, 1.5),
        *(
            Figure(
                f"outer step over its FLOPs at the speed of a large product, {kind}",
                partial(step_over_floor, compiled),
                bar,
            )
            for kind, compiled, bar in (("as recorded", False, 3.0), ("compiled", True, 2.2))
            if has_compiler() or not compiled
        ),
        Figure("training of the main job over 12,000 steps of Adam", training_over_before),
        Figure("outer step over all its matrix products", partial(step_over_products, large=False), 1.6),
        Figure("outer step over its large matrix products", partial(step_over_products, large=True)),
        *(
            Figure(f"GENERIC outer step ({name}) over a Hamiltonian one", partial(generic_over_hamiltonian, name), 3.5)
            for name in options("bracket")
        ),
        Figure("Python loop over 70 tasks over one batched step", batched_over_loop, 6.0, at_least=True),
        *(
            Figure(
                f"loop over tasks over a MAML step, width {width}, {points} points",
                partial(maml_over_loop, width, points),
                bar,
                at_least=True,
            )
            for width, points, bar in ((64, 16, 3.0), (128, 100, 1.0))
        ),
        Figure("outer step with 8 replicas over 8 of one seed, CPU", partial(replicas_over, 8, "cpu")),
        Figure("Lightning and logging over a bare loop", trainer_over_bare, 10.0, "%"),
    ]
    if visible_gpus():
        eight = "outer step with 8 replicas over one of one seed, GPU"
        listed.append(Figure(eight, partial(replicas_over, 1, "cuda"), 1.5))
    return listed


def processes() -> list[Figure]:
    """Of whole processes."""
    on_gpu = [Figure("main table with replicas, GPU", main_table, 10.0, "min")] if visible_gpus() else []
    return [
        *on_gpu,
        Figure("start-up of a job in a sweep over its run", start_up, 10.0, "%"),
        Figure("quick, whole process", partial(whole_process, "experiment=quick"), 20.0, "s"),
        Figure("main job, whole process", partial(whole_process, *PENDULUM.split()), 25.0, "s"),
        Figure("main table, its runs on record over two cores", partial(main_table_on_record, 2), 30.0, "min"),
        Figure("report from the records, whole process", report_from_records, 20.0, "s"),
    ]


def errors() -> list[Figure]:
    """Of trained models on test tasks."""
    return [
        Figure(
            f"{name}, {metric_facts(metric).heading}, 3 seeds",
            partial(accuracy, metric, run["words"]),
            bar or NO_BAR,
            "",
        )
        for name, run in WORDS["accuracy"].items()
        for metric, bar in run["bars"].items()
    ]


def adaptations(*overrides: str) -> list[Figure]:
    """Of Levenberg-Marquardt on pendulum, svd(5); `overrides` measure them on another training."""
    return [
        Figure("Levenberg-Marquardt, 10 tasks of 200 points", partial(ten_tasks, *overrides), 0.3, "s"),
        Figure("one member of 200 observations, numpy to member", partial(one_member, *overrides), 10.0, "ms"),
        Figure("a thousand members of 20 to 200 observations", partial(thousand_members, *overrides), 2.0, "s"),
        Figure("the same of 200 observations each", partial(thousand_members, *overrides, fewest=200), unit="s"),
        Figure("memory of a thousand members", partial(thousand_members, *overrides, memory=True), 500.0, "MB"),
        Figure("one rollout of 200 instants", partial(one_rollout, *overrides), unit="ms"),
        Figure("a hundred rollouts of 200 instants over one", partial(hundred_rollouts, *overrides), 1.5),
        Figure("fields of a hundred rollouts alone over one", partial(hundred_rollouts, *overrides, part="fields")),
        Figure("their matrix products alone over one", partial(hundred_rollouts, *overrides, part="products")),
        *(
            Figure(
                f"Levenberg-Marquardt over gradient, {metric_facts(metric).label}",
                partial(levenberg_over_gradient, metric, *overrides),
                bar,
            )
            for metric, bar in WORDS["exact_over_stepwise"].items()
        ),
        Figure("coverage of error bars of 95 %", partial(coverage, *overrides), unit="%"),
    ]
