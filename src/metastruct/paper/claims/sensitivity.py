"""C5, C6, C10, P3.1: locality weights, the start of the adaptation, evolving codes, the rank."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from metastruct.config.facts import metric_facts
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
from metastruct.paper.methods import SVD, stem
from metastruct.paper.results import Results, groups
from metastruct.paper.sources import Measured
from metastruct.paper.statistics import DRAWS, LEVEL, SEED, Ratio, logs, ratio, redrawn

TOLERANCE = 1.1  # errors that differ by less than this factor count as equal


def c5(measured: Measured) -> Finding:
    """SVD(5) varies least over the weights of the locality terms."""
    finding, verdicts = Finding(), []
    table = measured["locality"]
    for system in table.different("system"):
        part = table.where(system=system)
        settings = sorted({(run["lambda_z"], run["lambda_phi"]) for run in part.runs})
        for metric in table.errors:
            swept = {method: sweep(part.where(method=method), metric, settings) for method in part.different("method")}
            whole = {method: errors for method, errors in swept.items() if errors}
            missing = [method for method in swept if method not in whole]
            if missing or SVD not in whole or len(whole) < 2:
                verdicts.append(UNDECIDED)
                finding.evidence.append(f"{system}: the sweep of {', '.join(missing) or SVD} is not whole")
            if SVD not in whole:
                continue
            for method in whole:
                if method != SVD:
                    interval = steadier(whole[SVD], whole[method])
                    verdicts.append(UNDECIDED if interval is None else side(*interval))
            spreads = sorted(
                (float(np.mean([*map(deviation, part.values())])), method) for method, part in whole.items()
            )
            text = ", ".join(f"{method} {spread:.2f}" for spread, method in spreads)
            count = seeds(max(map(len, whole.values())))
            finding.evidence.append(
                f"{system}, deviation of log {metric_facts(metric).label} over the sweep ({count}): {text}"
            )
    finding.verdict = together(verdicts)
    finding.evidence.insert(0, tally(verdicts))
    return finding


Sweep = dict[int, np.ndarray]  # log errors [settings, tasks] of every seed for which all settings are there


def sweep(results: Results, metric: str, settings: list[tuple[str, str]]) -> Sweep:
    """The log errors of each seed over these settings, where all of them are there."""
    runs = [logs(results.where(lambda_z=z, lambda_phi=phi), metric) for z, phi in settings]
    shared = set.intersection(*(set(part) for part in runs))
    return {seed: np.stack([part[seed] for part in runs]) for seed in sorted(shared)}


def deviation(errors: np.ndarray) -> np.ndarray:
    """Over the settings, of the mean over tasks, of log errors `[..., settings, tasks]`."""
    return np.asarray(errors.mean(axis=-1).std(axis=-1))


def side(low: float, high: float) -> str:
    """Of an interval that should lie below zero."""
    return HELD if high < 0 else NOT_HELD if low > 0 else UNDECIDED


def steadier(one: Sweep, other: Sweep) -> tuple[float, float] | None:
    """Interval of the difference of two deviations, each a mean over seeds: seeds and tasks drawn with repetition.

    None where they share no seed.
    """
    rng = np.random.default_rng(SEED)
    shared = sorted(one.keys() & other.keys())
    if not shared:
        return None
    first, second = (np.stack([part[seed] for seed in shared]) for part in (one, other))  # [seeds, settings, tasks]
    of_seeds = deviation(first) - deviation(second)
    tasks = rng.integers(first.shape[-1], size=(DRAWS, first.shape[-1]))

    def over_tasks(errors: np.ndarray) -> np.ndarray:
        return np.asarray(errors[..., tasks].mean(axis=-1).std(axis=1).mean(axis=0))

    of_tasks = over_tasks(first) - over_tasks(second)
    drawn = of_tasks - of_tasks.mean() + of_seeds.mean() + redrawn(of_seeds - of_seeds.mean(), rng)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def c6(measured: Measured) -> Finding:
    """A start at the mean of the codes beats one at zero."""

    def comparisons() -> Iterator[Comparison]:
        results = measured["initialisation"].where(codes="evolving")
        for (system, method, steps), part in groups(results, ("system", "method", "steps")).items():
            yield (
                f"{system}, {method}, {steps} steps: mean over zero",
                part.where(start="mean"),
                part.where(start="zero"),
            )

    return compared(comparisons())


def c10(measured: Measured) -> Finding:
    """Codes that evolve beat codes that are reset."""

    def comparisons() -> Iterator[Comparison]:
        for (system, method, steps), part in groups(measured["initialisation"], ("system", "method", "steps")).items():
            text = f"{system}, {method}, {steps} steps: evolving from the mean over reset from zero"
            yield text, part.where(codes="evolving", start="mean"), part.where(codes="reset", start="zero")

    return compared(comparisons())


def p31(measured: Measured) -> Finding:
    """The error stops falling at the local rank of the family."""
    finding, verdicts = Finding(), []
    for system in measured["ranks"].different("system"):
        part = measured["ranks"].where(system=system, modulation=stem(SVD))
        enough = measured.local_ranks.get(system)
        if enough is None or not part.where(rank=str(enough)):
            verdicts.append(UNDECIDED)
            finding.evidence.append(f"{system}: no run at its local rank, {enough or 'which was not measured'}")
            continue
        for metric in part.errors:
            for rank in part.different("rank"):
                factor = ratio(part.where(rank=rank), part.where(rank=str(enough)), metric)
                if int(rank) == enough:
                    continue
                verdicts.append(UNDECIDED if factor is None else _stops(factor, int(rank) > enough))
                count = f" ({seeds(factor.seeds)})" if factor else ""
                text = f"{metric_facts(metric).label} at rank {rank} over rank {enough}: {factor}"
                finding.evidence.append(f"{system}, {text}, {verdicts[-1]}{count}")
    finding.verdict = together(verdicts)
    finding.evidence.insert(0, tally(verdicts))
    return finding


def _stops(factor: Ratio, higher: bool) -> str:
    """More ranks should bring nothing, fewer should cost something, both by a factor that counts."""
    if higher:
        return NOT_HELD if factor.high < 1 / TOLERANCE else HELD if factor.low > 1 / TOLERANCE else UNDECIDED
    return HELD if factor.low > TOLERANCE else NOT_HELD if factor.high < TOLERANCE else UNDECIDED


SENSITIVITY = (
    Claim(
        "C5",
        "SVD varies least over the sweep of the locality weights",
        "the deviation of the mean log error over the nine settings, with an interval of the difference over seeds and "
        "tasks; held: below every other method everywhere; not held: wholly above more often than chance explains",
        ("locality",),
        c5,
    ),
    Claim(
        "C6",
        "Adaptation that starts at z_avg always beats one that starts at zero",
        "see above, for evolving codes",
        ("initialisation",),
        c6,
    ),
    Claim(
        "C10",
        "Evolving codes beat reset codes",
        "see above; evolving codes start at z_avg, reset ones at zero, where their training started them",
        ("initialisation",),
        c10,
    ),
    Claim(
        "P3.1",
        "The error stops falling at the local rank of the family",
        f"for {stem(SVD)}; held: every lower rank has an error that is higher, and no higher rank one that is lower, "
        f"by a factor of {TOLERANCE}; not held: more of them wholly on the other side than chance explains",
        ("ranks", "local_rank"),
        p31,
    ),
)
