"""A laid-out table: the errors of every setting, the best of each column, and the paper's numbers beside."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from metastruct.config.facts import MetricFacts, headings, metric_facts
from metastruct.config.published import METRICS, NOTE, beside
from metastruct.paper.layout import WORDS, SheetLayout
from metastruct.paper.methods import with_codes
from metastruct.paper.results import Results, groups, is_number, mean_std

Pair = tuple[float, float]
Name = tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """Of one setting, each error's mean and deviation over seeds and median over all tasks, and what diverged."""

    errors: dict[str, Pair]
    medians: dict[str, float]
    seeds: int
    diverged: int
    tasks: int
    parameters: int
    seconds: float  # of the training, mean over seeds

    @classmethod
    def of(cls, results: Results, domain: str | None = None) -> Cell:
        """Over the tasks of one domain, or over all."""

        def median(metric: str) -> float:
            values = np.concatenate([run.values[metric][run.inside(domain)] for run in results.runs])
            return float(np.median(np.nan_to_num(values, nan=np.inf)))

        return cls(
            {metric: mean_std(results.means(metric, domain)) for metric in results.errors},
            {metric: median(metric) for metric in results.errors},
            len({run.seed for run in results.runs}),
            sum(int((run.lost & run.inside(domain)).sum()) for run in results.runs),
            sum(int(run.inside(domain).sum()) for run in results.runs),
            results.runs[0].parameters,
            mean_std([float(run["training_seconds"]) for run in results.runs])[0],
        )

    def __str__(self) -> str:
        text = " / ".join(shown(metric_facts(metric), *pair) for metric, pair in self.errors.items())
        return f"{text} ({self.diverged} of {self.tasks} diverged)" if self.diverged else text


@dataclass(frozen=True)
class Sheet:
    """The cells of a table by row and column, with the trained parameters and the training seconds of each row."""

    name: str
    layout: SheetLayout
    errors: tuple[str, ...]
    rows: list[Name]
    columns: list[str]
    cells: dict[tuple[Name, str], Cell]
    beside: dict[tuple[Name, str], str]
    sizes: dict[Name, str]
    seconds: dict[Name, float]
    commits: list[str]
    seeds: tuple[int, int]  # of the cell with the fewest, and the most
    steps: list[int]  # of the trainings of auto-decoding
    baselines: bool

    @classmethod
    def of(cls, results: Results, layout: SheetLayout) -> Sheet:
        """From results, as a layout says."""
        results = results.those(layout.only)
        by_row = groups(results, layout.rows)
        cells, paper = {}, {}
        for row, group in by_row.items():
            for column, (runs, domain) in _parts(group, layout).items():
                cells[row, column] = Cell.of(runs, domain)
                one = runs.runs[0]
                published = beside(one["system"], one["method"], one["dynamics"])
                if published and layout.published and not one["setting"] and results.errors == METRICS:
                    paper[row, column] = published
        columns = list(dict.fromkeys(column for _, column in cells))
        if all(map(is_number, columns)):
            columns.sort(key=float)
        sizes = {row: _range([run.parameters for run in group.runs]) for row, group in by_row.items()}
        seconds = {
            row: mean_std([float(r["training_seconds"]) for r in group.runs])[0] for row, group in by_row.items()
        }
        commits = sorted({run["commit"] for run in results.runs})
        seeds = min(cell.seeds for cell in cells.values()), max(cell.seeds for cell in cells.values())
        steps = {int(run["training_steps"]) for run in results.runs if with_codes(run["learner"])}
        baselines = any(not with_codes(run["learner"]) for run in results.runs)
        origin = commits, seeds, sorted(steps), baselines
        rows, errors = list(by_row), results.errors
        return cls(results.name, layout, errors, rows, columns, cells, paper, sizes, seconds, *origin)

    def best(self) -> set[tuple[Name, str]]:
        """The cell with the best last error of each column, among rivals; one with a diverged task never is."""
        metric = self.errors[-1]
        contests: dict[Name, list[tuple[float, tuple[Name, str]]]] = {}
        for (row, column), cell in self.cells.items():
            settings = dict(zip(self.layout.rows, row, strict=True))
            place = (column, *(settings[name] for name in self.layout.rivals))
            distance = metric_facts(metric).distance(cell.errors[metric][0])
            contests.setdefault(place, []).append((math.inf if cell.diverged else distance, (row, column)))
        winners = [min(entries) for entries in contests.values() if len(entries) > 1]
        return {key for error, key in winners if math.isfinite(error)}

    @property
    def notes(self) -> list[str]:
        """What stands below the table."""
        fewest, most = self.seeds
        seeds = f"{most} seed{'s' * (most > 1)}" if fewest == most else f"{fewest} to {most} seeds"
        last = metric_facts(self.errors[-1])
        best = "lowest" if last.perfect == (0, 0) else "best"
        rolled = " and ".join(
            f"{metric_facts(metric).label}s" for metric in self.errors if metric_facts(metric).rolled_out
        )
        sentences = [
            f"Errors {headings(self.errors)}: mean ± deviation over {seeds} of the mean over test tasks. Bold: "
            f"the {best} {last.label} of a column where no task diverged."
            + (f" Diverged tasks are left out of means of {rolled}." if rolled else "")
        ]
        if self.steps:
            trained = f"Trained for {' or '.join(f'{count:,}' for count in self.steps)} outer steps"
            budget = ", baselines for as many gradient evaluations x points" if self.baselines else ""
            sentences.append(
                f"{trained}{budget}; seconds are means over a row, on a machine that ran other things as well."
            )
        if self.beside:
            sentences.append(f"{NOTE[0].upper()}{NOTE[1:]}.")
        if len(self.commits) > 1:
            listed = ", ".join(map(short, self.commits))
            sentences.append(f"Warning: the runs of this table come from {len(self.commits)} commits: {listed}.")
        return sentences

    def heads(self) -> list[str]:
        """Of the rows' names, then of the columns."""
        column = self.layout.column
        prefix = "" if column in (None, "system") else f"{WORDS.get(column or '', column)} "
        return [
            *(WORDS.get(name, name) for name in self.layout.rows),
            *(f"{prefix}{name}" or "errors" for name in self.columns),
        ]


def _parts(results: Results, layout: SheetLayout) -> dict[str, tuple[Results, str | None]]:
    """The runs and the domain of each column of a row."""
    parts: dict[str, tuple[Results, str | None]] = {}
    if layout.domains:
        return {"together": (results, None)} | {name: (results, name) for name in results.runs[0].domains}
    if layout.column is None:
        return {"": (results, None)}
    for value in results.different(layout.column):
        parts[value] = results.where(**{layout.column: value}), None
    return parts


def _range(sizes: list[int]) -> str:
    low, high = min(sizes), max(sizes)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def short(commit: str) -> str:
    """Ten digits of a commit, and whether its tree was changed."""
    return commit.removesuffix("-dirty")[:10] + ("-dirty" if commit.endswith("-dirty") else "")


def shown(metric: MetricFacts, mean: float, deviation: float) -> str:
    """In the unit of the metric, such as 1.11 ± 0.30; one digit less from ten on."""
    if not math.isfinite(mean):
        return "-"
    digits = metric.digits - (abs(mean) >= 10 / metric.scale)
    text = metric.text(mean, digits)
    return f"{text} ± {metric.text(deviation, digits)}" if math.isfinite(deviation) else text
