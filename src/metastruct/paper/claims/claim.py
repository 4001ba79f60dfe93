"""What a claim of the paper needs to be judged, and what comes out.

Verdicts follow from intervals of ratios of errors (`statistics.ratio`), both errors, every system of the claim:

    held       every ratio that the claim makes has its whole interval on the claimed side
    not held   more of them have their whole interval on the other side than chance explains
    undecided  otherwise, or where runs are missing

An interval of 95 % lies wholly on the wrong side of a true value in 2.5 % of cases, so among many ratios some do:
chance explains as many as 95 % of binomial draws stay within. Ratios that share runs are not independent, so this is a
guard and no exact test; where the same trainings are compared again and again, they first get one verdict together.

A claim with another rule says it in its own words. No claim is held while a run of its tables is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from scipy.special import bdtr

from metastruct.config.facts import metric_facts
from metastruct.paper.results import Results
from metastruct.paper.sources import Measured, command
from metastruct.paper.statistics import LEVEL, Ratio, ratio

HELD, NOT_HELD, UNDECIDED = "held", "not held", "undecided"


@dataclass
class Finding:
    """A verdict with its evidence, a line each."""

    verdict: str = UNDECIDED
    evidence: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and how it is judged."""

    name: str  # C1 ... C10, P3.1
    statement: str
    rule: str
    needs: tuple[str, ...]  # tables
    judge: Callable[[Measured], Finding]

    def judged(self, measured: Measured) -> Finding:
        """The verdict and its evidence; undecided where a table is missing, and not held to be true on part of one."""
        missing = [name for name in self.needs if not measured.has(name)]
        if missing:
            return Finding(UNDECIDED, [f"{name} is missing: {command(name)}" for name in missing])
        try:
            finding = self.judge(measured)
        except ValueError as error:  # runs that cannot be compared
            return Finding(UNDECIDED, [str(error)])
        tables = [measured[name] for name in self.needs if name in measured.tables]
        for table in tables:
            if not table.complete:
                finding.evidence.append(f"{table.name} has {table.progress}")
                finding.verdict = UNDECIDED if finding.verdict == HELD else finding.verdict
        return finding


Comparison = tuple[str, Results, Results]  # what is said, the one that should be better, the other


def compared(
    comparisons: Iterable[Comparison], worst: int = 6, trained: Callable[[Comparison], str] | None = None
) -> Finding:
    """The rule above: the first of each comparison should have the lower errors.

    Args:
        trained: names the trainings of a comparison; those of one name are judged together first.
    """
    ratios: list[tuple[str, Ratio]] = []
    missing: list[str] = []
    by_trainings: dict[tuple[str, str], list[str]] = {}
    for label, one, other in comparisons:
        for metric in one.errors:
            factor, name = ratio(one, other, metric), metric_facts(metric).short
            if factor is None:
                missing.append(label)
            else:
                ratios.append((f"{label}, {name}", factor))
                trainings = label if trained is None else trained((label, one, other))
                by_trainings.setdefault((trainings, name), []).append(side(factor))
    verdicts = [together(group) for group in by_trainings.values()]
    evidence = lines(ratios, worst, missing)
    if trained is not None:
        evidence.insert(0, f"by trainings that are compared at many settings: {tally(verdicts)}")
    return Finding(together(verdicts, bool(missing)), evidence)


def side(ratio: Ratio) -> str:
    """Of a ratio that should lie below one."""
    return HELD if ratio.below else NOT_HELD if ratio.above else UNDECIDED


def together(verdicts: Sequence[str], missing: bool = False) -> str:
    """One verdict on several that come from intervals: all must hold; more counterexamples than by chance refute."""
    if verdicts.count(NOT_HELD) > by_chance(len(verdicts)):
        return NOT_HELD
    return HELD if not missing and set(verdicts) == {HELD} else UNDECIDED


def by_chance(count: int) -> int:
    """How many of so many intervals may lie wholly on the wrong side of the truth before it is no chance any more."""
    side = (1 - LEVEL) / 2
    return next(factor for factor in range(count + 1) if bdtr(factor, count, side) >= LEVEL)


def tally(verdicts: Sequence[str]) -> str:
    """How many verdicts from intervals speak for and against, in words."""
    for_it, against = verdicts.count(HELD), verdicts.count(NOT_HELD)
    return (
        f"of {len(verdicts)} comparisons {for_it} speak for the claim and {against} against it with their whole "
        f"interval; chance explains up to {by_chance(len(verdicts))} against it"
    )


def lines(ratios: Sequence[tuple[str, Ratio]], worst: int, missing: Sequence[str] = ()) -> list[str]:
    """How many lie where, then those that speak most against the claim."""
    below, above = (sum(getattr(factor, side) for _, factor in ratios) for side in ("below", "above"))
    findings = [
        f"{below} of {len(ratios)} ratios lie below one with their whole interval, {above} above "
        f"(chance explains up to {by_chance(len(ratios))} of independent ones)"
    ]
    against = sorted(ratios, key=lambda pair: -pair[1].low)
    findings += [f"{name}: {factor} ({seeds(factor.seeds)})" for name, factor in against[:worst]]
    findings += [f"missing: {name}" for name in dict.fromkeys(missing)]
    return findings


def seeds(count: int) -> str:
    """Their number in words."""
    return "1 seed: spread over tasks alone" if count == 1 else f"{count} seeds"
