"""C3, C9: error against trained parameters, and what the adaptation to a new task costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metastruct.facts import metric_facts
from metastruct.reports.claims.claim import (
    HELD,
    NOT_HELD,
    UNDECIDED,
    Claim,
    Finding,
    seeds,
    side,
    tally,
    together,
)
from metastruct.reports.methods import BASELINES, MODULATIONS, PAPER, PAPER_YAML, SVD
from metastruct.reports.results import Results, groups, spread
from metastruct.reports.sources import Cost, Measured
from metastruct.reports.statistics import front, ratio

Methods = Sequence[Sequence[Cost]]  # of each method the costs of its seeds
QUANTITIES = {"numbers": "adapted numbers", "seconds": "seconds", "peak_bytes": "memory"}


def c3(measured: Measured) -> Finding:
    """Against every method and, as evidence, against those alone that the paper compares."""
    finding, narrow = _pareto(measured["main"]), _pareto(measured["main"].those(lambda run: run["method"] in PAPER))
    finding.evidence.insert(0, f"against the methods alone that the paper compares: {narrow.verdict}")
    if measured.has("parameters"):
        finding.evidence += [_front(measured["parameters"], metric) for metric in measured["parameters"].errors]
    return finding


def _pareto(main: Results) -> Finding:
    finding, verdicts = Finding(), []
    for system in main.different("system"):
        of = main.where(system=system)
        own = of.where(method=SVD)
        if not own:
            verdicts.append(UNDECIDED)
            finding.evidence.append(f"missing: {system}, {SVD}")
            continue
        size = own.runs[0].parameters
        for method in of.different("method"):
            other = of.where(method=method)
            if method == SVD or other.runs[0].parameters > size:
                continue
            for metric in main.errors:
                found = ratio(own, other, metric)
                if found is None:
                    verdicts.append(UNDECIDED)
                    finding.evidence.append(f"missing: {system}, {SVD} and {method} with the same seed")
                    continue
                verdicts.append(side(found))
                finding.evidence.append(
                    f"{system}: {method} has {other.runs[0].parameters:,} parameters, {SVD} {size:,}; "
                    f"{metric_facts(metric).label} of {SVD} over {method}: {found} ({seeds(found.seeds)})"
                )
    finding.verdict = together(verdicts)
    finding.evidence.insert(0, tally(verdicts))
    return finding


def _front(results: Results, metric: str) -> str:
    """Which settings no other of the table beats in size and mean error at once."""
    settings = groups(results, ("method", "setting")).items()
    points = [(of.runs[0].parameters, spread(of.means(metric))[0], " ".join(setting)) for setting, of in settings]
    told = ", ".join(name for *_, name in front(point for point in points if np.isfinite(point[1])))
    systems, label = ", ".join(results.different("system")), metric_facts(metric).label
    return f"{systems}, over widths, {label} against parameters; on the front: {told}"


def c9(measured: Measured) -> Finding:
    costs, finding = measured.costs, Finding()
    for method, of_seeds in costs.items():
        taken, memory = ([getattr(cost, name) for cost in of_seeds] for name in ("seconds", "peak_bytes"))
        finding.evidence.append(
            f"{method}: {of_seeds[0].numbers:,} adapted numbers, {min(taken):.2f} to {max(taken):.2f} s, "
            f"{max(memory) / 2**20:.1f} MiB at most (seeds: {len(of_seeds)})"
        )
    ours = [costs[name] for name in MODULATIONS if name in costs]
    theirs = [costs[name] for name in (*BASELINES, PAPER_YAML["control"]) if name in costs]
    if ours and theirs:
        verdicts = {told: _less(ours, theirs, quantity) for quantity, told in QUANTITIES.items()}
        whole = all(name in costs for name in (*MODULATIONS, *BASELINES))
        held = whole and set(verdicts.values()) == {HELD}
        finding.verdict = NOT_HELD if NOT_HELD in verdicts.values() else HELD if held else UNDECIDED
        finding.evidence.insert(0, ", ".join(f"{told}: {verdict}" for told, verdict in verdicts.items()))
    return finding


def _less(ours: Methods, theirs: Methods, quantity: str) -> str:
    """Held where every modulation needs less than every rival, not held where a rival needs no more than any.

    Each with the seed that speaks most against it.
    """
    mine, other = ([[getattr(cost, quantity) for cost in of] for of in side] for side in (ours, theirs))
    if max(map(max, mine)) < min(map(min, other)):
        return HELD
    return NOT_HELD if min(map(max, other)) <= min(map(min, mine)) else UNDECIDED


COST = (
    Claim(
        "C3",
        "SVD(5) is Pareto-optimal in error against parameters",
        "against every method with no more trained parameters; held: all errors wholly lower; not held: more of them "
        "wholly higher than chance explains",
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
