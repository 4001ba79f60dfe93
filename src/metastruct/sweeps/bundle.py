"""How runs are put together: those that one job makes, and the jobs that one slot does one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from metastruct.sweeps.launchers.launcher import Job
from metastruct.sweeps.table import Planned


@dataclass(frozen=True)
class Bundle:
    """Runs of consecutive seeds that differ in nothing else, made by one job; a single run, too."""

    runs: tuple[Planned, ...]

    @property
    def job(self) -> Job:
        """What a launcher needs of it."""
        first, *followers = self.runs
        words = (*first.overrides, f"replicas={len(self.runs)}") if followers else first.overrides
        return Job(words, first.folder, first.training, tuple(run.folder for run in followers))


def units(runs: Iterable[Planned], replicas: int = 1) -> list[list[Bundle]]:
    """Runs that share a training together, in their order.

    Args:
        replicas: so many seeds of the same runs, at most, are trained together.
    """
    by_training: dict[Path, list[Planned]] = {}
    for run in runs:
        by_training.setdefault(run.claim, []).append(run)
    alike: dict[tuple[str, ...], list[list[Planned]]] = {}
    for shared in by_training.values():
        alike.setdefault(tuple(run.label for run in shared), []).append(shared)
    return [
        [Bundle(together) for together in zip(*stretch, strict=True)]
        for same in alike.values()
        for stretch in stretches(same, replicas)
    ]


def stretches(same: list[list[Planned]], most: int) -> Iterator[list[list[Planned]]]:
    """Cut the same runs of several seeds where a seed is missing, and into so many at most."""
    part: list[list[Planned]] = []
    for shared in sorted(same, key=lambda shared: shared[0].seed):
        if part and (len(part) == most or shared[0].seed != part[-1][0].seed + 1):
            yield part
            part = []
        part.append(shared)
    yield part
