"""C5, C6, C10, P3.1: locality weights, the start of the adaptation, evolving codes, the rank."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from metastruct.reports.claims.claim import (
    HELD,
    METRICS,
    NOT_HELD,
    UNDECIDED,
    Claim,
    Comparison,
    Finding,
    Tables,
    compared,
)
from metastruct.reports.results import Results
from metastruct.reports.statistics import DRAWS, LEVEL, SEED, logs, ratio

LOCAL_RANK = {"pendulum": 3, "morse": 3, "mass_spring": 3, "duffing": 2}  # outputs/reference/local_rank
TOLERANCE = 1.1  # an error counts as no lower if it is lower by less than this factor


def sweep(results: Results, metric: str) -> np.ndarray:
    """log errors `[settings, tasks]` over the sweep of the locality weights, means over seeds."""
    settings = sorted({(run["lambda_z"], run["lambda_phi"]) for run in results.runs})
    return np.stack([np.mean([*logs(results.where(lambda_z=z, lambda_phi=phi), metric).values()], axis=0)
                     for z, phi in settings])  # fmt: skip


def c5(tables: Tables) -> Finding:
    finding, sides = Finding(), []
    for system in tables["locality"].different("system"):
        of = tables["locality"].where(system=system)
        for metric, name in METRICS.items():
            tables_of = {method: sweep(of.where(method=method), metric) for method in of.different("method")}
            if "svd(5)" not in tables_of or len(tables_of) < 2:
                return finding
            tasks = tables_of["svd(5)"].shape[1]
            draws = np.random.default_rng(SEED).integers(tasks, size=(DRAWS, tasks))
            spreads = {method: values.mean(axis=1).std() for method, values in tables_of.items()}
            drawn = {m: np.stack([v[:, draw].mean(axis=1).std() for draw in draws]) for m, v in tables_of.items()}
            for method in tables_of:
                if method != "svd(5)":
                    edges = np.quantile(drawn["svd(5)"] - drawn[method], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
                    sides.append(-1 if edges[1] < 0 else 1 if edges[0] > 0 else 0)
            told = ", ".join(f"{method} {spread:.2f}" for method, spread in sorted(spreads.items(), key=lambda p: p[1]))
            finding.evidence.append(f"{system}, deviation of log {name} error over the sweep: {told}")
    finding.verdict = NOT_HELD if 1 in sides else HELD if set(sides) == {-1} else UNDECIDED
    return finding


def c6(tables: Tables) -> Finding:
    def comparisons() -> Iterator[Comparison]:
        results = tables["initialisation"]
        for (system, method, codes, steps), of in _by(results, "system", "method", "codes", "steps").items():
            told = f"{system}, {method}, {codes} codes, {steps} steps: mean over zero"
            yield told, of.where(start="mean"), of.where(start="zero")

    return compared(comparisons())


def c10(tables: Tables) -> Finding:
    def comparisons() -> Iterator[Comparison]:
        results = tables["initialisation"].where(start="mean")
        for (system, method, steps), of in _by(results, "system", "method", "steps").items():
            told = f"{system}, {method}, {steps} steps: evolving over reset"
            yield told, of.where(codes="evolving"), of.where(codes="reset")

    return compared(comparisons())


def _by(results: Results, *keys: str) -> dict[tuple[str, ...], Results]:
    values = dict.fromkeys(tuple(run[key] for key in keys) for run in results.runs)
    return {value: results.where(**dict(zip(keys, value, strict=True))) for value in values}


def p31(tables: Tables) -> Finding:
    finding, verdicts = Finding(), []
    for system in tables["ranks"].different("system"):
        of = tables["ranks"].where(system=system, modulation="svd")
        enough = str(LOCAL_RANK[system])
        for metric, name in METRICS.items():
            for rank in of.different("rank"):
                if rank == enough:
                    continue
                found = ratio(of.where(rank=rank), of.where(rank=enough), metric)
                if found is None:
                    verdicts.append(UNDECIDED)
                elif int(rank) > int(enough):  # more ranks should bring nothing
                    verdicts.append(
                        NOT_HELD if found.high < 1 / TOLERANCE else HELD if found.low > 1 / TOLERANCE else UNDECIDED
                    )
                else:  # fewer should cost something
                    verdicts.append(HELD if found.above else NOT_HELD if found.high < TOLERANCE else UNDECIDED)
                finding.evidence.append(
                    f"{system}, {name} error at rank {rank} over rank {enough}: {found}, {verdicts[-1]}"
                )
    finding.verdict = NOT_HELD if NOT_HELD in verdicts else HELD if set(verdicts) == {HELD} else UNDECIDED
    return finding


SENSITIVITY = (
    Claim(
        "C5",
        "SVD varies least over the sweep of the locality weights",
        "the deviation of the mean log error over the nine settings, with an interval of the difference over tasks; "
        "held: below every other method everywhere; not held: wholly above one somewhere",
        ("locality",),
        c5,
    ),
    Claim(
        "C6",
        "Adaptation that starts at z_avg always beats one that starts at zero",
        "see above",
        ("initialisation",),
        c6,
    ),
    Claim("C10", "Evolving codes beat reset codes", "see above", ("initialisation",), c10),
    Claim(
        "P3.1",
        "The error stops falling at the local rank of the family",
        f"held: every lower rank has a higher error and no higher rank one that is lower by a factor of {TOLERANCE}; "
        "not held: one of them wholly on the other side",
        ("ranks",),
        p31,
    ),
)
