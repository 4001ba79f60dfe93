"""C5, C6, C10, P3.1: locality weights, the start of the adaptation, evolving codes, the dimension of the code."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from metastruct.config.facts import metric_facts
from metastruct.evaluation.effects import Effects
from metastruct.paper.claims.claim import Claim, Comparison, Finding, compared, decided
from metastruct.paper.claims.rules import HELD, NOT_HELD, UNDECIDED, average, brings_nothing, costs_more, everywhere
from metastruct.paper.claims.rules import together as both
from metastruct.paper.methods import SVD
from metastruct.paper.results import Result, Results, groups
from metastruct.paper.sources import Measured
from metastruct.paper.statistics import logs

COLLAPSED = np.log(5)  # of an error over the median of the trainings on its system
Sweep = dict[int, np.ndarray]  # log errors [settings, tasks] of each seed; NaN where a training is missing or collapsed


def c5(measured: Measured) -> Finding:
    """SVD(5) varies least over the weights of the locality terms, collapsed trainings apart."""
    table, notes = measured["locality"], []
    labels, arrays, of_rivals = [], [], []
    settings = sorted({(run["lambda_z"], run["lambda_phi"]) for run in table.runs})
    for system in table.different("system"):
        part = table.where(system=system)
        kept, lost = _apart(part)
        counts = ", ".join(f"{method} {sum(run['method'] == method for run in lost)} of {len(group.runs)}"
                           for (method,), group in groups(part, ("method",)).items())  # fmt: skip
        notes.append(f"{system}, collapsed trainings, in no deviation below: {counts}")
        for metric in table.errors:
            swept = {method: sweep(kept.where(method=method), metric, settings) for method in part.different("method")}
            for method in swept:
                if method != SVD and len(steadier := _steadier(swept.get(SVD, {}), swept[method])):
                    labels.append(f"{system}, {metric_facts(metric).short}: {SVD} over {method}")
                    arrays.append(steadier)
                    of_rivals.append(f"{SVD} over {method}")
    if not arrays:
        return Finding(UNDECIDED, ["no sweep of two methods with the same seed"])
    finding = decided(Effects.of(labels, arrays, of_rivals), everywhere, f"{SVD} over all others", strongest=True)
    finding.about += ", of deviations"
    whole = {(run["system"], run["method"], run.seed) for run in table.runs}
    if len(table.runs) < len(whole) * len(settings):
        finding.evidence.append("the sweep is not whole")
        if finding.verdict == HELD:
            finding.verdict = UNDECIDED
    finding.evidence = [*notes, *finding.evidence]
    return finding


def _apart(results: Results) -> tuple[Results, list[Result]]:
    """Trainings of one system, and those whose first error is far above the median: their codes do nothing."""
    means = {id(run): np.log(run.values[results.errors[0]]).mean() for run in results.runs}
    limit = np.median([*means.values()]) + COLLAPSED
    lost = [run for run in results.runs if not means[id(run)] <= limit]
    return results.those(lambda run: means[id(run)] <= limit), lost


def sweep(results: Results, metric: str, settings: list[tuple[str, str]]) -> Sweep:
    """The log errors of each seed over these settings."""
    runs = [logs(results.where(lambda_z=z, lambda_phi=phi), metric) for z, phi in settings]
    tasks = max((len(errors) for part in runs for errors in part.values()), default=0)
    seeds = sorted({seed for part in runs for seed in part})
    return {seed: np.stack([part.get(seed, np.full(tasks, np.nan)) for part in runs]) for seed in seeds}


def deviation(errors: np.ndarray) -> np.ndarray:
    """Over the settings, of the mean over tasks, of log errors `[settings, tasks]`; without each task in turn."""
    count = errors.shape[-1]
    without = (errors.sum(-1, keepdims=True) - errors) / (count - 1)
    return np.log(np.append(without.std(0), errors.mean(-1).std()) + 1e-9)


def _steadier(one: Sweep, other: Sweep) -> np.ndarray:
    """Log ratio of two deviations over the settings that both have, as jackknife's pseudo-values `[seeds, tasks]`."""
    values = []
    for seed in sorted(one.keys() & other.keys()):
        both_there = np.isfinite(one[seed] + other[seed]).all(-1)
        if both_there.sum() > 1:
            *without, whole = deviation(one[seed][both_there]) - deviation(other[seed][both_there])
            values.append(len(without) * whole - (len(without) - 1) * np.array(without))
    return np.array(values)


def c6(measured: Measured) -> Finding:
    """A start at the mean of the codes beats one at zero."""

    def comparisons() -> Iterator[Comparison]:
        results = measured["initialisation"].where(codes="evolving")
        for (system, method, steps), part in groups(results, ("system", "method", "steps")).items():
            label, group = f"{system}, {method}, {steps} steps: mean over zero", f"{system}, {method}: mean over zero"
            yield Comparison(label, group, part.where(start="mean"), part.where(start="zero"), steps)

    return compared(comparisons(), everywhere, "start at the mean over start at zero")


def c10(measured: Measured) -> Finding:
    """Codes that evolve beat codes that are reset."""

    def comparisons() -> Iterator[Comparison]:
        for (system, method, steps), part in groups(measured["initialisation"], ("system", "method", "steps")).items():
            label, group = f"{system}, {method}, {steps} steps", f"{system}, {method}"
            evolving, reset = part.where(codes="evolving", start="mean"), part.where(codes="reset", start="zero")
            yield Comparison(f"{label}: evolving from the mean over reset from zero", group, evolving, reset, steps)

    return compared(comparisons(), average, "evolving over reset codes")


def p31(measured: Measured) -> Finding:
    """The error stops falling at the local rank of the family."""
    lower: list[Comparison] = []
    higher: list[Comparison] = []
    missing = []
    for system in measured["codes"].different("system"):
        part, rank = measured["codes"].where(system=system), measured.local_ranks.get(system, 0)
        enough = part.where(code_dim=str(rank))
        if not enough:
            missing.append(f"{system}: no run at its local rank, {rank or 'which was not measured'}")
            continue
        for name in part.different("code_dim"):
            comparison = Comparison(f"{system}: code_dim {rank} over {name}", system, enough, part.where(code_dim=name))
            if int(name) != rank:
                (lower if int(name) < rank else higher).append(comparison)
    fewer = compared(lower, costs_more, "code_dim at the local rank over fewer")
    more = compared(higher, brings_nothing, "")
    evidence = [f"fewer numbers: {fewer.verdict}", *fewer.evidence, f"more numbers: {more.verdict}", *more.evidence]
    verdict = both([fewer.verdict, more.verdict])
    verdict = UNDECIDED if missing and verdict != NOT_HELD else verdict
    requirement = next((part.requirement for part in (fewer, more) if part.verdict == UNDECIDED), "")
    wanting = requirement if verdict == UNDECIDED else ""
    return Finding(verdict, [*missing, *evidence], fewer.effect or more.effect, fewer.about, wanting)


SENSITIVITY = (
    Claim(
        "C5",
        "SVD varies least over the sweep of the locality weights",
        "best, for the deviation of the mean log error over the settings; trainings whose error is above five times "
        "the median of their system have collapsed, are counted apart and left out of it",
        ("locality",),
        c5,
    ),
    Claim(
        "C6",
        "Adaptation that starts at z_avg always beats one that starts at zero",
        "always, for evolving codes; a comparison is a system, a method and a number of steps",
        ("initialisation",),
        c6,
    ),
    Claim(
        "C10",
        "Evolving codes beat reset codes",
        "average, by the margin; evolving codes start at z_avg, reset ones at zero, where their training started them; "
        "the reset codes are trained at first order, five steps a batch: no second-order control is there yet",
        ("initialisation",),
        c10,
    ),
    Claim(
        "P3.1",
        "The error stops falling at the local rank of the family",
        f"for {SVD}, by the dimension of its code; held: every lower dimension costs more than the margin and no "
        "higher one brings as much; not held: a counterexample to either after Holm's correction",
        ("codes", "local_rank"),
        p31,
    ),
)
