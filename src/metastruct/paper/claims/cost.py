"""C3, C9: error against trained parameters, and what the adaptation to a new task costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from metastruct.config.facts import metric_facts
from metastruct.config.published import PAPER_YAML
from metastruct.evaluation.effects import Estimate
from metastruct.paper.claims.accuracy import against_all, rivals
from metastruct.paper.claims.claim import Claim, Comparison, Finding
from metastruct.paper.claims.rules import HELD, NOT_HELD, UNDECIDED
from metastruct.paper.methods import BASELINES, MODULATIONS, SVD
from metastruct.paper.results import Results, groups, mean_std
from metastruct.paper.sources import Cost, Measured
from metastruct.paper.statistics import front

Methods = Sequence[Sequence[Cost]]  # of each method the costs of its seeds
QUANTITIES = {"numbers": "adapted numbers", "seconds": "seconds", "peak_bytes": "memory"}


def c3(measured: Measured) -> Finding:
    """Against every method that is no larger and, as evidence, against those alone that the paper compares."""
    finding = against_all(_smaller(measured["main"]))
    if measured.has("parameters"):
        finding.evidence += [_front(measured["parameters"], metric) for metric in measured["parameters"].errors]
    return finding


def _smaller(main: Results) -> Iterator[Comparison]:
    for system in main.different("system"):
        subset = main.where(system=system)
        if not (svd_runs := subset.where(method=SVD)):
            yield Comparison(f"{system}, {SVD}", "", svd_runs, subset)
            continue
        size = svd_runs.runs[0].parameters
        smaller = subset.those(lambda run, size=size: run["method"] == SVD or run.parameters <= size)  # type: ignore[misc]
        yield from rivals(smaller, f"{system}, {size:,} parameters")


def _front(results: Results, metric: str) -> str:
    """Which settings no other of the table beats in size and mean error at once."""
    settings = groups(results, ("method", "setting")).items()
    points = [
        (group.runs[0].parameters, mean_std(group.means(metric))[0], " ".join(setting)) for setting, group in settings
    ]
    names = ", ".join(name for *_, name in front(point for point in points if np.isfinite(point[1])))
    systems, label = ", ".join(results.different("system")), metric_facts(metric).label
    return f"{systems}, over widths, {label} against parameters; on the front: {names}"


def c9(measured: Measured) -> Finding:
    """Modulation adapts with less time, memory and numbers."""
    costs, finding = measured.costs, Finding()
    for method, of_seeds in costs.items():
        durations, memory = ([getattr(cost, name) for cost in of_seeds] for name in ("seconds", "peak_bytes"))
        finding.evidence.append(
            f"{method}: {of_seeds[0].numbers:,} adapted numbers, {min(durations):.2f} to {max(durations):.2f} s, "
            f"{max(memory) / 2**20:.1f} MiB at most (seeds: {len(of_seeds)})"
        )
    candidates = [costs[name] for name in MODULATIONS if name in costs]
    rivals = [costs[name] for name in (*BASELINES, PAPER_YAML["control"]) if name in costs]
    if candidates and rivals:
        verdicts = {label: _less(candidates, rivals, quantity) for quantity, label in QUANTITIES.items()}
        whole = all(name in costs for name in (*MODULATIONS, *BASELINES))
        held = whole and set(verdicts.values()) == {HELD}
        finding.verdict = NOT_HELD if NOT_HELD in verdicts.values() else HELD if held else UNDECIDED
        finding.effect, finding.about = _seconds(candidates, rivals), "seconds of modulations over rivals"
        finding.evidence.insert(0, ", ".join(f"{label}: {verdict}" for label, verdict in verdicts.items()))
    return finding


def _less(candidates: Methods, rivals: Methods, quantity: str) -> str:
    """Held where every modulation needs less than every rival, not held where a rival needs no more than any.

    Each with the seed that speaks most against it.
    """
    first, other = ([[getattr(cost, quantity) for cost in costs] for costs in side] for side in (candidates, rivals))
    if max(map(max, first)) < min(map(min, other)):
        return HELD
    return NOT_HELD if min(map(max, other)) <= min(map(min, first)) else UNDECIDED


def _seconds(candidates: Methods, rivals: Methods) -> Estimate:
    """Ratio of the geometric means over methods, paired by seed."""
    count = min(map(len, (*candidates, *rivals)))
    first, other = (
        np.log([[cost.seconds for cost in costs[:count]] for costs in side]).mean(0) for side in (candidates, rivals)
    )
    return replace(Estimate.of((first - other)[:, None]), tasks=1)


COST = (
    Claim(
        "C3",
        "SVD(5) is Pareto-optimal in error against parameters",
        "best, against every method with no more trained parameters",
        ("main",),
        c3,
    ),
    Claim(
        "C9",
        "Modulation adapts with less: seconds, memory and adapted numbers a task",
        "for one new member, against MAML, ANIL, Reptile and fine-tuning; held: every modulation needs less than "
        "every one of them in all three, whatever the seeds; not held: in one of the three, one of them needs on no "
        "seed more than any modulation on any",
        ("adaptation_cost",),
        c9,
    ),
)
