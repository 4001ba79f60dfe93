"""C1, C2, C4, C7: who has the lowest error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from metastruct.config.facts import settings_of
from metastruct.config.published import PAPER_YAML
from metastruct.paper.claims.claim import Claim, Comparison, Finding, compared
from metastruct.paper.claims.rules import average, everywhere
from metastruct.paper.methods import BASELINES, PAPER, SVD, of_codes
from metastruct.paper.results import Results
from metastruct.paper.sources import Measured

CUT = 0.65


def c1(measured: Measured) -> Finding:
    """Modulation cuts the error of the baselines by about 65 %."""

    def comparisons() -> Iterator[Comparison]:
        for system in measured["baselines"].different("system"):
            subset = measured["baselines"].where(system=system)
            for baseline in BASELINES:
                label = f"{system}, {SVD} over {baseline}"
                yield Comparison(label, system, subset.where(method=SVD), subset.where(method=baseline))

    return compared(comparisons(), partial(average, limit=float(np.log(1 - CUT))), f"{SVD} over the baselines")


def rivals(results: Results, label: str, group: str = "") -> Iterator[Comparison]:
    """SVD(5) against every other method that is there."""
    for method in results.different("method"):
        if method != SVD:
            one, other = results.where(method=SVD), results.where(method=method)
            yield Comparison(f"{label}: {SVD} over {method}", f"{group}{SVD} over {method}", one, other)


def against_all(comparisons: Iterable[Comparison]) -> Finding:
    """The verdict against every method and, as evidence, against those alone that the paper compares."""
    every = list(comparisons)
    finding = compared(every, everywhere, f"{SVD} over all others", strongest=True)
    of_the_paper = [entry for entry in every if {run["method"] for run in entry.other.runs} <= {*PAPER}]
    narrow = compared(of_the_paper, everywhere, "")
    finding.evidence.insert(0, f"against the methods alone that the paper compares: {narrow.verdict}")
    return finding


def c2(measured: Measured) -> Finding:
    """SVD(5) has the lowest error on every system."""
    tables = [measured[name] for name in PAPER_YAML["conservative"]]
    pairs = [(table, system) for table in tables for system in table.different("system")]
    return against_all(c for table, system in pairs for c in rivals(table.where(system=system), system))


def c4(measured: Measured) -> Finding:
    """SVD(5) is best at every number of shots."""
    results = measured["shots"].those(lambda run: run["adaptation"] in PAPER_YAML["adaptations"])

    def comparisons() -> Iterator[Comparison]:
        for system in results.different("system"):
            subset = results.where(system=system)
            for shots in subset.different("shots"):
                part = subset.where(shots=shots).those(lambda run: run.adapted_in_full)
                yield from rivals(part, f"{system}, {shots} observations", f"{system}: ")
            stepped = subset.where(shots="200").those(lambda run: not run.adapted_in_full)
            for steps in stepped.different("steps"):
                yield from rivals(stepped.where(steps=steps), f"{system}, {steps} steps", f"{system}: ")

    return against_all(comparisons())


def c7(measured: Measured) -> Finding:
    """With one base for several families SVD(5) is still best."""
    results = measured[PAPER_YAML["several"]]
    codes = [*filter(of_codes, results.different("adaptation"))]  # another adaptation has but one row

    def comparisons() -> Iterator[Comparison]:
        stepwise_runs = results.those(lambda run: run["adaptation"] not in codes)
        for name in codes:
            if adapted := results.where(adaptation=name):
                rest = Results(results.name, (*adapted.runs, *stepwise_runs.runs))
                yield from rivals(rest, f"all domains, {name}")

    return against_all(comparisons())


ACCURACY = (
    Claim(
        "C1",
        "Modulation cuts the error of MAML, Reptile and ANIL by about 65 %",
        f"average, for {SVD}: the ratio pooled over baselines, systems and errors against {1 - CUT:.2f}",
        ("baselines",),
        c1,
    ),
    Claim(
        "C2",
        "SVD(5) has the lowest error on every system",
        "best, on the conservative systems of this benchmark, against all methods, also those that the paper does not "
        "compare",
        tuple(PAPER_YAML["conservative"]),
        c2,
    ),
    Claim(
        "C4",
        "SVD is best at every number of shots, 1 to 300",
        "best, at every number; a shot as an observation and as an adaptation step",
        ("shots",),
        c4,
    ),
    Claim(
        "C7",
        f"With one base for {', '.join(settings_of('system', PAPER_YAML['several']).domains)}, SVD(5) is still best",
        "best, over the test tasks of all domains",
        (PAPER_YAML["several"],),
        c7,
    ),
)
