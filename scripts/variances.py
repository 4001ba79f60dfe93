"""Variances and correlations of log errors as the tables of record have them: python scripts/variances.py

Log errors have effects of the seed, of the task and a rest; a difference of two settings has each with the variance
that this prints, half of it in either setting. Pieces are the numbers of steps and errors of one training, which share
effects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metastruct.paper.methods import SVD
from metastruct.paper.results import Results, groups, read
from metastruct.paper.statistics import differences
from metastruct.runs.arguments import Flags

FOLDER = Path(__file__).resolve().parents[1] / "outputs" / "reference"
ERRORS = ("field_error", "trajectory_error")
Piece = tuple[str, str]  # number of steps, error


@dataclass(frozen=True)
class Spread:
    """Variances of a difference of log errors: seeds, tasks, rest; and how far pieces of one training share them."""

    variances: Mapping[Piece, np.ndarray]  # [3]
    shared: np.ndarray  # [3]

    @classmethod
    def of(cls, units: Sequence[Mapping[Piece, np.ndarray]]) -> Spread:
        """From the differences `[seeds, tasks]` of every piece of several pairs of trainings."""
        pieces = [*units[0]]
        variances = {piece: np.mean([parts(unit[piece]) for unit in units], axis=0).clip(1e-6) for piece in pieces}
        whole = np.mean([parts(np.mean([*unit.values()], axis=0)) for unit in units], axis=0)
        sums, roots = sum(variances.values()), sum(np.sqrt(value) for value in variances.values())
        return cls(variances, ((whole * len(pieces) ** 2 - sums) / (roots**2 - sums)).clip(0, 1))

    def drawn(self, rng: np.random.Generator, seeds: int, tasks: int, moving: bool) -> dict[Piece, np.ndarray]:
        """Effects of one of two settings `[seeds, tasks]`: half of the variance of a difference."""
        sizes = ((seeds, 1), (seeds, tasks) if moving else (1, tasks), (seeds, tasks))
        common = [rng.normal(size=size) for size in sizes]

        def effect(variances: np.ndarray) -> np.ndarray:
            total = np.zeros((seeds, tasks))
            for variance, share, of_all, size in zip(variances, self.shared, common, sizes, strict=True):
                noise = np.sqrt(share) * of_all + np.sqrt(1 - share) * rng.normal(size=size)
                total = total + np.sqrt(variance / 2) * noise
            return total

        return {piece: effect(variances) for piece, variances in self.variances.items()}


def parts(array: np.ndarray) -> np.ndarray:
    """The variances of seeds, tasks and rest of differences `[seeds, tasks]`, unbiased, so perhaps below zero."""
    seeds, tasks = array.shape
    rest = array - array.mean(0) - array.mean(1, keepdims=True) + array.mean()
    within = (rest**2).sum() / ((seeds - 1) * (tasks - 1))
    return np.array([array.mean(1).var(ddof=1) - within / tasks, array.mean(0).var(ddof=1) - within / seeds, within])


def spread_of(pairs: Iterator[Any]) -> Spread:
    """Of pairs of trainings, each by number of steps."""
    units: list[dict[Piece, np.ndarray]] = []
    for one, other in pairs:
        pieces = {(n, metric): differences(one[n], other[n], metric) for n in one for metric in ERRORS}
        units.append({piece: array for piece, array in pieces.items() if array is not None})
    return Spread.of(units)


def recorded(table: str) -> Results:
    """A table of record."""
    results = read(FOLDER / table)
    if results is None:
        raise SystemExit(f"{table} is not on record: python scripts/reproduce.py table={table}")
    return results


def starts(table: Results) -> Iterator[Any]:
    """The two starts of every training with evolving codes."""
    for part in groups(table.where(codes="evolving"), ("system", "method")).values():
        steps = part.different("steps")
        yield tuple({count: part.where(start=start, steps=count) for count in steps} for start in ("mean", "zero"))


def rivals(table: Results) -> Iterator[Any]:
    """SVD and every rival on every system."""
    for system in table.different("system"):
        part = table.where(system=system)
        for method in part.different("method"):
            if method != SVD:
                yield {"300": part.where(method=SVD)}, {"300": part.where(method=method)}


def ranks(table: Results) -> Iterator[Any]:
    """The rank of three and every other one."""
    for system in table.different("system"):
        part = table.where(system=system, modulation="svd")
        for rank in part.different("rank"):
            if rank != "3":
                yield {"300": part.where(rank="3")}, {"300": part.where(rank=rank)}


def spreads() -> dict[str, Spread]:
    """By the table that they are for; that of codes from the ranks, which are on record."""
    sources = {"main": ("main", rivals), "initialisation": ("initialisation", starts), "codes": ("ranks", ranks)}
    return {name: spread_of(pairs(recorded(table))) for name, (table, pairs) in sources.items()}


if __name__ == "__main__":
    Flags(__doc__).parse_args()
    for name, spread in spreads().items():
        print(f"{name}: seeds, tasks, rest; shared by the pieces of a training {spread.shared.round(2)}")
        for (steps, metric), variances in spread.variances.items():
            print(f"  {steps:>4} steps, {metric:16} {variances.round(3)}")
