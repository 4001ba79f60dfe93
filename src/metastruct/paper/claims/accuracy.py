"""C1, C2, C4, C7: who has the lowest error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from metastruct.config.facts import metric_facts, settings_of
from metastruct.config.published import PAPER_YAML
from metastruct.paper.claims.claim import (
    HELD,
    NOT_HELD,
    UNDECIDED,
    Claim,
    Comparison,
    Finding,
    compared,
    seeds,
    tally,
    together,
)
from metastruct.paper.methods import BASELINES, PAPER, SVD, of_codes
from metastruct.paper.results import Results
from metastruct.paper.sources import Measured
from metastruct.paper.statistics import ratio

CUT = 0.65


def c1(measured: Measured) -> Finding:
    """Modulation cuts the error of the baselines by about 65 %."""
    main, finding = measured["main"], Finding()
    verdicts = []
    for system in main.different("system"):
        subset = main.where(system=system)
        for baseline in BASELINES:
            for metric in main.errors:
                factor = ratio(subset.where(method=SVD), subset.where(method=baseline), metric)
                if factor is None:
                    verdicts.append(UNDECIDED)
                    finding.evidence.append(f"missing: {system}, {SVD} and {baseline} with the same seed")
                    continue
                verdicts.append(HELD if factor.high < 1 - CUT else NOT_HELD if factor.low > 1 - CUT else UNDECIDED)
                cut, least, most = (100 * (1 - value) for value in (factor.value, factor.high, factor.low))
                finding.evidence.append(
                    f"{system}: {metric_facts(metric).label} of {SVD} is {cut:.0f} % below that of {baseline} "
                    f"(interval {least:.0f} to {most:.0f} %, {seeds(factor.seeds)})"
                )
    finding.verdict = together(verdicts)
    finding.evidence.insert(0, tally(verdicts))
    return finding


def rivals(results: Results, label: str) -> Iterator[Comparison]:
    """SVD(5) against every other method that is there."""
    for method in results.different("method"):
        if method != SVD:
            yield f"{label}: {SVD} over {method}", results.where(method=SVD), results.where(method=method)


def against_all(comparisons: Iterable[Comparison], trained: Callable[[Comparison], str] | None = None) -> Finding:
    """The verdict against every method and, as evidence, against those alone that the paper compares."""
    every = list(comparisons)
    finding = compared(every, trained=trained)
    of_the_paper = [entry for entry in every if {run["method"] for run in entry[2].runs} <= {*PAPER}]
    narrow = compared(of_the_paper, trained=trained)
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
                yield from rivals(
                    subset.where(shots=shots).those(lambda run: run.adapted_in_full), f"{system}, {shots} observations"
                )
            stepped = subset.where(shots="200").those(lambda run: not run.adapted_in_full)
            for steps in stepped.different("steps"):
                yield from rivals(stepped.where(steps=steps), f"{system}, {steps} steps")

    def trained(comparison: Comparison) -> str:
        rival = comparison[2].runs[0]
        return f"{rival['system']}, {rival['method']}"

    return against_all(comparisons(), trained)


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
        f"for {SVD}; held: the whole interval of the cut is above {100 * CUT:.0f} % for every baseline, system and "
        "error; not held: it is wholly below for more of them than chance explains",
        ("main",),
        c1,
    ),
    Claim(
        "C2",
        "SVD(5) has the lowest error on every system",
        "see above, on the conservative systems of this benchmark, against all methods, also those that the paper does "
        "not compare",
        tuple(PAPER_YAML["conservative"]),
        c2,
    ),
    Claim(
        "C4",
        "SVD is best at every number of shots, 1 to 300",
        "see above; a shot as an observation and as an adaptation step. The trainings of two methods on one system are "
        "compared at every number of both: a rival speaks against the claim by more of these than chance explains",
        ("shots",),
        c4,
    ),
    Claim(
        "C7",
        f"With one base for {', '.join(settings_of('system', PAPER_YAML['several']).domains)}, SVD(5) is still best",
        "see above, over the test tasks of all domains",
        (PAPER_YAML["several"],),
        c7,
    ),
)
