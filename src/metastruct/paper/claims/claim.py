"""What a claim of the paper needs to be judged, and what comes out: a verdict by a rule of `rules`, with its effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from metastruct.config.facts import metric_facts
from metastruct.evaluation.effects import Effects, Estimate
from metastruct.paper.claims.rules import HELD, TASKS, UNDECIDED, Rule, counterexamples, deciding
from metastruct.paper.results import Results
from metastruct.paper.sources import Measured, command
from metastruct.paper.statistics import differences


@dataclass
class Finding:
    """A verdict with the ratio that it is about and its evidence, a line each."""

    verdict: str = UNDECIDED
    evidence: list[str] = field(default_factory=list)
    effect: Estimate | None = None
    about: str = ""  # of what the effect is the ratio, or the effect in words
    requirement: str = ""  # seeds and tasks that would decide it


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
            lacking = [f"{name} is missing: {command(name)}" for name in missing]
            return Finding(UNDECIDED, lacking, requirement="the missing runs")
        try:
            finding = self.judge(measured)
        except ValueError as error:  # runs that cannot be compared
            return Finding(UNDECIDED, [str(error)], requirement="runs that can be compared")
        tables = [measured[name] for name in self.needs if name in measured.tables]
        for table in tables:
            if not table.complete:
                finding.evidence.append(f"{table.name} has {table.progress}")
                if finding.verdict == HELD:
                    finding.verdict, finding.requirement = UNDECIDED, ""
        if finding.verdict == UNDECIDED and not finding.requirement:
            finding.requirement = "the missing runs"
        return finding


@dataclass(frozen=True)
class Comparison:
    """Two settings of which the first should have the lower errors.

    Args:
        label: what is said.
        group: comparisons of one group are looked at together as well: a rival on several systems, a training at
            several numbers of steps.
        kind: comparisons of one kind have errors that vary about as much.
    """

    label: str
    group: str
    one: Results
    other: Results
    kind: str = ""


def compared(comparisons: Iterable[Comparison], rule: Rule, about: str, strongest: bool = False) -> Finding:
    """The verdict of a rule on comparisons in each of their errors.

    Args:
        about: what the effect is the ratio of.
        strongest: is the effect that of the group which speaks most against the claim, where there is a
            counterexample or where it is held all the same, not that of all?
    """
    labels, arrays, groups, kinds, missing = [], [], [], [], []
    for entry in comparisons:
        for metric in entry.one.errors or entry.other.errors:
            array = differences(entry.one, entry.other, metric)
            if array is None:
                missing.append(entry.label)
                continue
            labels.append(f"{entry.label}, {metric_facts(metric).short}")
            arrays.append(array)
            groups.append(entry.group)
            kinds.append(f"{entry.kind} {metric}")
    finding = decided(Effects.of(labels, arrays, groups, kinds), rule, about, strongest) if arrays else Finding()
    if missing or not arrays:
        finding.verdict = UNDECIDED if finding.verdict == HELD else finding.verdict
        finding.requirement = ""
        finding.evidence += [f"missing: {name} with the same seed" for name in dict.fromkeys(missing)]
    return finding


def decided(effects: Effects, rule: Rule, about: str, strongest: bool = False, worst: int = 6) -> Finding:
    """The verdict of a rule on effects, with those that speak most against the claim as evidence."""
    against = sorted(effects.of_groups.items(), key=lambda pair: -pair[1].mean)
    finding = Finding(rule(effects), effect=effects.pooled, about=about)
    refuting = counterexamples(effects)
    if strongest and against and (refuting or finding.verdict == HELD):
        finding.about, finding.effect = against[0]
    finding.evidence = [
        f"pooled over {len(effects.labels)} comparisons: {effects.pooled} ({counted(effects.pooled)})",
        f"above one after Holm's correction over {len(effects.labels) + len(against)}: "
        + (f"{len(refuting)}, first {'; '.join(refuting[:3])}" if refuting else "none"),
    ]
    shown = zip(effects.labels, effects.estimates, np.exp(effects.shrunk), strict=True)
    if len(against) > 2:
        sample = Estimate.of(np.array([[estimate.mean] for _, estimate in against]))
        finding.evidence.append(f"with its {len(against)} groups as a sample of more: {sample}")
    finding.evidence += [f"all of {name}: {estimate}" for name, estimate in against[: worst // 2]]
    finding.evidence += [
        f"{label}: {estimate}; given all comparisons {value:.2f}"
        for label, estimate, value in sorted(shown, key=lambda line: -line[1].low)[:worst]
    ]
    if finding.verdict == UNDECIDED:
        finding.requirement = f"{deciding(effects, rule) or 'more than 160'} seeds x {TASKS} tasks"
    return finding


def counted(estimate: Estimate) -> str:
    """Seeds and tasks in words."""
    tasks = f"{estimate.tasks} tasks"
    return f"1 seed, spread over {tasks} alone" if estimate.seeds == 1 else f"{estimate.seeds} seeds, {tasks}"
