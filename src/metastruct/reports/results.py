"""The results of record of one table: the errors of every run on every test task, with the settings of the run.

A task whose rollout diverged (not finite, or off by more than ten times the true norm) is counted, left out of means
and kept in medians, as METHOD section 5 has it.
"""

from __future__ import annotations

import csv
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FIELD, TRAJECTORY = "field_error", "trajectory_error"
LIMIT = 10.0  # an error above it has diverged

Row = dict[str, str]


@dataclass(frozen=True)
class Run:
    """One run: its line of runs.csv, and `values[metric]` with one number a task, `domains` with the tasks' families."""

    settings: Row
    values: dict[str, np.ndarray]
    domains: tuple[str, ...]

    def __getitem__(self, setting: str) -> str:
        if setting == "setting":
            return self._setting()
        return self.settings[setting]

    @property
    def seed(self) -> int:
        return int(self["seed"])

    @property
    def parameters(self) -> int:
        """Trained numbers: base and hyper-network."""
        return int(self["base_parameters"]) + int(self["hypernetwork_parameters"])

    @property
    def lost(self) -> np.ndarray:
        """Which tasks diverged."""
        return ~(np.nan_to_num(self.values[TRAJECTORY], nan=np.inf) <= LIMIT)

    def mean(self, metric: str, domain: str | None = None) -> float:
        """Mean over the tasks that did not diverge, of one domain or of all; NaN where there is none."""
        values = self.values[metric]
        kept = np.isfinite(values) & (values <= LIMIT)
        if metric != FIELD:
            kept &= ~self.lost
        if domain is not None:
            kept &= np.array([name == domain for name in self.domains])
        return float(values[kept].mean()) if kept.any() else float("nan")

    def _setting(self) -> str:
        """What else the run was told, such as the size of a chain."""
        named = re.findall(r"system\.oscillators=(\d+)", self["label"])
        widths = re.findall(r"net\.width=(\d+)", self["label"])
        return ", ".join([*(f"n = {n}" for n in named), *(f"width {w}" for w in widths)])


@dataclass(frozen=True)
class Results:
    """All runs of a table."""

    name: str
    runs: tuple[Run, ...]

    def where(self, **settings: str) -> Results:
        """The runs whose settings are these."""
        return self.those(lambda run: all(run[key] == value for key, value in settings.items()))

    def those(self, wanted: Callable[[Run], bool]) -> Results:
        return Results(self.name, tuple(run for run in self.runs if wanted(run)))

    def different(self, setting: str) -> list[str]:
        """The values of a setting, in the order of the runs, numbers in their own."""
        found = list(dict.fromkeys(run[setting] for run in self.runs))
        return sorted(found, key=float) if found and all(map(_is_number, found)) else found

    def means(self, metric: str, domain: str | None = None) -> list[float]:
        """One mean over tasks for each run."""
        return [run.mean(metric, domain) for run in self.runs]

    def __bool__(self) -> bool:
        return bool(self.runs)


def read(folder: Path) -> Results | None:
    """The results of a table's folder; None where they are not all there."""
    try:
        with open(folder / "runs.csv", newline="") as file:
            lines = list(csv.DictReader(file))
        with open(folder / "records.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        return None
    values: dict[str, dict[str, dict[int, float]]] = {}
    domains: dict[str, dict[int, str]] = {}
    for row in rows:
        task = int(row["task"])
        values.setdefault(row["run"], {}).setdefault(row["metric"], {})[task] = float(row["value"])
        domains.setdefault(row["run"], {})[task] = row["domain"]
    runs = [
        Run(
            line,
            {metric: np.array([of[task] for task in sorted(of)]) for metric, of in values[line["run"]].items()},
            tuple(domains[line["run"]][task] for task in sorted(domains[line["run"]])),
        )
        for line in lines
        if line["run"] in values
    ]
    return Results(folder.name, tuple(runs))


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and deviation of the finite values; NaN where there are too few."""
    kept = [value for value in values if np.isfinite(value)]
    mean = statistics.fmean(kept) if kept else float("nan")
    return mean, statistics.stdev(kept) if len(kept) > 1 else float("nan")


def groups(results: Results, keys: Iterable[str]) -> dict[tuple[str, ...], Results]:
    """The runs by the values of some settings: one group holds the seeds of a setting."""
    names = tuple(keys)
    found: dict[tuple[str, ...], list[Run]] = {}
    for run in results.runs:
        found.setdefault(tuple(run[name] for name in names), []).append(run)
    return {key: Results(results.name, tuple(runs)) for key, runs in found.items()}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
