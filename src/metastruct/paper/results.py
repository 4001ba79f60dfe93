"""The results of record of one table: the errors of every run on every test task, with the settings of the run.

A task has diverged where its rollout is not finite or off by more than ten times the true norm, or another error, such
as that of the field, is not finite. It is counted, left out of means of errors of rollouts and kept in medians, as
docs/method.md, section 5 has it. A mean of other errors holds every finite one, as metrics.json does.
"""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metastruct.config.facts import headline_errors, metric_facts
from metastruct.config.published import PAPER_YAML
from metastruct.paper.methods import stepwise

NUMBERS = ("seed", "base_parameters", "hypernetwork_parameters", "training_steps", "training_seconds")
WORDS = ("run", "label", "system", "method", "learner", "modulation", "dynamics", "lambda_z", "lambda_phi", "shots",
         "steps", "adaptation", "training_diverged_at", "commit", "machine")  # fmt: skip
LIMIT = 10.0  # an error of a rollout above it has diverged

Row = dict[str, str]


@dataclass(frozen=True)
class Result:
    """One run: its line of runs.csv, `values[error]` with one number a task, `domains` with the tasks' families.

    The errors are metrics of conf/metric, those that the table asks for in its order; the last decides what is best.
    """

    settings: Row
    values: dict[str, np.ndarray]
    domains: tuple[str, ...]

    def __getitem__(self, setting: str) -> str:
        return self.named_setting if setting == "setting" else self.settings[setting]

    @property
    def seed(self) -> int:
        """Of its initialisation."""
        return int(self["seed"])

    @property
    def parameters(self) -> int:
        """Trained numbers: base and hyper-network."""
        return int(self["base_parameters"]) + int(self["hypernetwork_parameters"])

    @property
    def named_setting(self) -> str:
        """What else the run was told, such as the size of a chain."""
        words = [word.partition("=") for word in self["label"].split()]
        phrases = PAPER_YAML["settings"].items()
        return ", ".join(phrase.format(value) for key, phrase in phrases for name, _, value in words if name == key)

    @property
    def lost(self) -> np.ndarray:
        """Which tasks diverged."""
        kept = [
            np.nan_to_num(values, nan=np.inf) <= LIMIT if metric_facts(metric).rolled_out else np.isfinite(values)
            for metric, values in self.values.items()
        ]
        return ~np.logical_and.reduce(kept)

    def inside(self, domain: str | None) -> np.ndarray:
        """Which tasks belong to a domain, all of them to None."""
        return np.array([domain in (None, name) for name in self.domains])

    def mean(self, metric: str, domain: str | None = None) -> float:
        """Mean over the tasks of one domain, or of all; NaN where there is none to count."""
        values = self.values[metric]
        kept = self.inside(domain) & (~self.lost if metric_facts(metric).rolled_out else np.isfinite(values))
        return float(values[kept].mean()) if kept.any() else float("nan")

    @property
    def adapted_in_full(self) -> bool:
        """Did the adaptation take all of its steps? (The table of shots cuts the gradient's short.)"""
        return not stepwise(self["adaptation"]) or self["steps"] == "300"


@dataclass(frozen=True)
class Results:
    """The finished runs of a table.

    Args:
        planned: how many it is to have, None where nobody wrote that down.
        outdated: has its yaml changed since, so that it is to have others?
    """

    name: str
    runs: tuple[Result, ...]
    planned: int | None = None
    outdated: bool = False

    @property
    def errors(self) -> tuple[str, ...]:
        """Those that its runs have."""
        return tuple(self.runs[0].values) if self.runs else headline_errors()

    @property
    def complete(self) -> bool:
        """Are all runs of its yaml there, as the yaml stands?"""
        return not self.outdated and (self.planned is None or len(self.runs) >= self.planned)

    @property
    def progress(self) -> str:
        """How many runs are there, in words."""
        if self.outdated:
            return f"{len(self.runs)} runs from before its yaml was changed"
        return f"{len(self.runs)} runs" if self.complete else f"{len(self.runs)} of {self.planned} runs"

    def where(self, **settings: str) -> Results:
        """The runs whose settings are these."""
        return self.those(lambda run: all(run[key] == value for key, value in settings.items()))

    def those(self, condition: Callable[[Result], bool]) -> Results:
        """The runs that meet a condition."""
        return Results(self.name, tuple(run for run in self.runs if condition(run)))

    def different(self, setting: str) -> list[str]:
        """The values of a setting, in the order of the runs, numbers in their own."""
        by_setting = list(dict.fromkeys(run[setting] for run in self.runs))
        return sorted(by_setting, key=float) if all(map(is_number, by_setting)) else by_setting

    def means(self, metric: str, domain: str | None = None) -> list[float]:
        """One mean over tasks for each run."""
        return [run.mean(metric, domain) for run in self.runs]

    def __bool__(self) -> bool:
        return bool(self.runs)


def read(folder: Path, yaml: str | None = None, errors: Sequence[str] | None = None) -> Results | None:
    """The results of a table's folder; None where they are not there.

    Args:
        yaml: digest of the table's yaml as it is now, where it is known.
        errors: the metrics that the table asks for; unless told otherwise those of the usual ones that it has, for a
            metric may be younger than a table.
    """
    chosen = headline_errors() if errors is None else errors
    try:
        with open(folder / "runs.csv", newline="") as file:
            lines = list(csv.DictReader(file))
        with open(folder / "records.csv", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["metric"] in chosen]
    except FileNotFoundError:
        return None
    if errors is None and rows:
        chosen = [metric for metric in chosen if any(row["metric"] == metric for row in rows)]
    values: dict[str, dict[str, dict[int, float]]] = {}
    domains: dict[str, dict[int, str]] = {}
    for row in rows:
        if row["component"]:
            continue
        task = int(row["task"])
        values.setdefault(row["run"], {}).setdefault(row["metric"], {})[task] = float(row["value"])
        domains.setdefault(row["run"], {})[task] = row["domain"]
    runs = []
    for line in lines:
        by_metric, of_tasks = values.get(line["run"], {}), sorted(domains.get(line["run"], {}))
        for metric in chosen:
            if not of_tasks or sorted(by_metric.get(metric, {})) != of_tasks:
                raise ValueError(
                    f"{folder / 'records.csv'} must hold {metric} of every task of {line['run']}, which runs.csv "
                    f"lists; collect the table again: python scripts/reproduce.py table={folder.name}"
                )
        numbers = {metric: np.array([by_metric[metric][task] for task in of_tasks]) for metric in chosen}
        runs.append(Result(line, numbers, tuple(domains[line["run"]][task] for task in of_tasks)))
    origin = provenance(folder)
    outdated = yaml is not None and origin.get("yaml", yaml) != yaml
    return Results(folder.name, tuple(runs), origin.get("of"), outdated)


def check_columns(results: Results) -> None:
    """Do the runs have what tables, figures and claims ask of them?

    Raises:
        ValueError: names the column that one has not.
    """
    for run in results.runs:
        for name in (*NUMBERS, *WORDS):
            if run.settings.get(name) is None or (name in NUMBERS and not is_number(run.settings[name])):
                expected = "a number" if name in NUMBERS else "a word"
                raise ValueError(
                    f"runs.csv must have {expected} in the column {name} of every line, got "
                    f"{str(run.settings.get(name))[:80]!r}"
                )


def provenance(folder: Path) -> dict[str, Any]:
    """What provenance.json says; nothing where it is not there."""
    path = folder / "provenance.json"
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and deviation of the finite values; NaN where there are too few."""
    kept = [value for value in values if np.isfinite(value)]
    mean = statistics.fmean(kept) if kept else float("nan")
    return mean, statistics.stdev(kept) if len(kept) > 1 else float("nan")


def groups(results: Results, keys: Iterable[str]) -> dict[tuple[str, ...], Results]:
    """The runs by the values of some settings: one group holds the seeds of a setting."""
    names = tuple(keys)
    by_setting: dict[tuple[str, ...], list[Result]] = {}
    for run in results.runs:
        by_setting.setdefault(tuple(run[name] for name in names), []).append(run)
    return {key: Results(results.name, tuple(runs)) for key, runs in by_setting.items()}


def is_number(text: str) -> bool:
    """Is a text one?"""
    try:
        float(text)
    except ValueError:
        return False
    return True
