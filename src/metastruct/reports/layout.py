"""How the tables of the paper are laid out, and turned into CSV, Markdown and LaTeX."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from metastruct.reports.published import NOTE, PUBLISHED
from metastruct.reports.results import FIELD, TRAJECTORY, Results, groups, spread


@dataclass(frozen=True)
class Layout:
    """Which settings make the rows of a table, and which one its columns."""

    title: str
    rows: tuple[str, ...]
    column: str | None = None
    domains: bool = False  # one column a domain


LAYOUTS = {
    "main": Layout("Every method on the conservative systems", ("method",), "system"),
    "morse": Layout("Modulations on morse", ("method",), "system"),
    "dissipative": Layout("Dissipative systems", ("system", "setting", "dynamics", "method")),
    "shots": Layout("Error against observations and adaptation steps", ("system", "method", "adaptation", "steps"), "shots"),
    "initialisation": Layout("Start of the adaptation, evolving and reset codes", ("system", "method", "codes", "steps"), "start"),
    "locality": Layout("Locality weights", ("system", "method", "lambda_z"), "lambda_phi"),
    "ranks": Layout("Rank of the modulation", ("system", "modulation"), "rank"),
    "parameters": Layout("Error against parameters", ("system", "method", "setting")),
    "multi_domain": Layout("One base for three families", ("method",), domains=True),
}  # fmt: skip
HEADS = {"setting": "", "lambda_z": "lambda z", "lambda_phi": "lambda phi", "shots": "observations", "codes": "codes"}
METHODS = {"svd(5)": "SVD(5)", "svd(3)": "SVD(3)", "shift": "Shift", "rank_one": "RO", "full_weight": "FW"}
METHODS |= {"multi_rank(5)": "MR(5)", "multi_rank(3)": "MR(3)", "camel": "CAMEL", "geps": "GEPS", "maml": "MAML"}
METHODS |= {"anil": "ANIL", "reptile": "Reptile", "scratch": "Scratch", "pretrained": "Pretrained"}


@dataclass(frozen=True)
class Cell:
    """Errors of one setting: mean and deviation over seeds, median over all tasks, and what diverged."""

    field: tuple[float, float]
    trajectory: tuple[float, float]
    median: tuple[float, float]
    seeds: int
    diverged: int
    tasks: int

    @classmethod
    def of(cls, results: Results, domain: str | None) -> Cell:
        pooled = [np.concatenate([run.values[metric] for run in results.runs]) for metric in (FIELD, TRAJECTORY)]
        return cls(
            spread(results.means(FIELD, domain)),
            spread(results.means(TRAJECTORY, domain)),
            (
                float(np.median(np.nan_to_num(pooled[0], nan=np.inf))),
                float(np.median(np.nan_to_num(pooled[1], nan=np.inf))),
            ),
            len(results.runs),
            sum(int(run.lost.sum()) for run in results.runs),
            sum(len(run.lost) for run in results.runs),
        )

    def __str__(self) -> str:
        told = f"{shown(*self.field)} / {shown(*self.trajectory)}"
        return f"{told} ({self.diverged} of {self.tasks} diverged)" if self.diverged else told


@dataclass(frozen=True)
class Sheet:
    """A laid-out table: `cells[row][column]`, with the names of both."""

    name: str
    layout: Layout
    rows: list[tuple[str, ...]]
    columns: list[str]
    cells: dict[tuple[tuple[str, ...], str], Cell]
    sizes: dict[tuple[str, ...], int]  # trained parameters
    seconds: dict[tuple[str, ...], float]  # of a training
    commits: int

    @classmethod
    def of(cls, results: Results) -> Sheet:
        layout = LAYOUTS[results.name]
        by_row = groups(results, layout.rows)
        cells: dict[tuple[tuple[str, ...], str], Cell] = {}
        columns: list[str] = []
        for row, those in by_row.items():
            if layout.domains:
                parts = {"together": (those, None)}
                parts |= {name: (those, name) for name in dict.fromkeys(those.runs[0].domains)}
            elif layout.column:
                parts = {
                    value: (those.where(**{layout.column: value}), None) for value in those.different(layout.column)
                }
            else:
                parts = {"": (those, None)}
            columns += [name for name in parts if name not in columns]
            cells |= {(row, name): Cell.of(*part) for name, part in parts.items()}
        if columns and all(re.fullmatch(r"[-\d.e]+", name) for name in columns):
            columns.sort(key=float)
        sizes = {row: those.runs[0].parameters for row, those in by_row.items()}
        seconds = {
            row: spread([float(run["training_seconds"]) for run in those.runs])[0] for row, those in by_row.items()
        }
        commits = len({run["commit"] for run in results.runs})
        return cls(results.name, layout, list(by_row), columns, cells, sizes, seconds, commits)

    def best(self) -> set[tuple[tuple[str, ...], str]]:
        """The cell with the lowest trajectory error of each column, among rows that are compared: those of one system."""
        found: dict[Any, tuple[float, Any]] = {}
        for (row, column), cell in self.cells.items():
            place = (
                column,
                *(
                    value
                    for name, value in zip(self.layout.rows, row, strict=True)
                    if name in ("system", "setting", "steps")
                ),
            )
            if not cell.diverged and cell.trajectory[0] < found.get(place, (math.inf, None))[0]:
                found[place] = cell.trajectory[0], (row, column)
        return {key for _, key in found.values()}

    @property
    def notes(self) -> list[str]:
        told = [
            "Errors x 1e-2, field / trajectory: mean ± deviation over seeds of the mean over test tasks; bold: the lowest trajectory error of a column."
        ]
        if self.name in ("main", "dissipative"):
            told.append(f"{NOTE[0].upper()}{NOTE[1:]}.")
        if self.commits > 1:
            told.append(f"Warning: the runs of this table come from {self.commits} commits.")
        return told

    def heads(self) -> list[str]:
        named = [HEADS.get(name, name) for name in self.layout.rows]
        values = [
            name
            if not self.layout.column or self.layout.column == "system"
            else f"{HEADS.get(self.layout.column, self.layout.column)} {name}"
            for name in self.columns
        ]
        return [*named, *(value or "errors" for value in values)]

    def published(self, row: tuple[str, ...], column: str) -> str | None:
        """The paper's numbers for a cell."""
        settings = dict(zip(self.layout.rows, row, strict=True)) | (
            {self.layout.column: column} if self.layout.column else {}
        )
        if self.name not in ("main", "dissipative") or settings.get("setting"):
            return None
        found = PUBLISHED.get((settings.get("system", ""), settings.get("method", "")))
        return None if found is None else " / ".join("-" if value is None else f"{value:.2f}" for value in found)

    def csv_lines(self) -> list[dict[str, Any]]:
        """One line a cell, numbers in full."""
        column = self.layout.column or ("domain" if self.layout.domains else "column")
        return [
            {
                **dict(zip(self.layout.rows, row, strict=True)),
                column: name,
                "field_error": cell.field[0],
                "field_error_std": cell.field[1],
                "field_error_median": cell.median[0],
                "trajectory_error": cell.trajectory[0],
                "trajectory_error_std": cell.trajectory[1],
                "trajectory_error_median": cell.median[1],
                "seeds": cell.seeds,
                "diverged": cell.diverged,
                "tasks": cell.tasks,
                "parameters": self.sizes[row],
                "training_seconds": self.seconds[row],
                "published": self.published(row, name) or "",
            }
            for (row, name), cell in self.cells.items()
        ]

    def lines(self, bold: str, beside: str) -> list[list[str]]:
        """Cells as text, the best in `bold` and published numbers in `beside`, both format strings."""
        best, told = self.best(), []
        for row in self.rows:
            line = [
                METHODS.get(value, value) if name == "method" else value
                for name, value in zip(self.layout.rows, row, strict=True)
            ]
            for column in self.columns:
                cell = self.cells.get((row, column))
                text = "-" if cell is None else str(cell)
                text = bold.format(text) if (row, column) in best else text
                theirs = self.published(row, column)
                line.append(text + (beside.format(theirs) if theirs else ""))
            told.append([*line, f"{self.sizes[row]:,}", f"{self.seconds[row]:.0f}"])
        return told

    def markdown(self) -> str:
        heads = [*self.heads(), "parameters", "training, s"]
        body = ["| " + " | ".join(line) + " |" for line in self.lines("**{}**", " *(published {})*")]
        return "\n".join(["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|", *body, "", *self.notes, ""])

    def latex(self) -> str:
        """A table for a paper, with booktabs."""
        heads = [*self.heads(), "parameters", "training, s"]
        lines = self.lines(r"\textbf{{{}}}", r" {{\scriptsize (published {})}}")
        body = [" & ".join(map(escaped, line)) + r" \\" for line in lines]
        layout = "l" * len(self.layout.rows) + "r" * (len(heads) - len(self.layout.rows))
        caption = escaped(f"{self.layout.title}. " + " ".join(self.notes))
        return "\n".join(
            [
                r"\begin{table}",
                r"\centering",
                rf"\caption{{{caption}}}",
                rf"\label{{tab:{self.name}}}",
                rf"\begin{{tabular}}{{{layout}}}",
                r"\toprule",
                " & ".join(map(escaped, heads)) + r" \\",
                r"\midrule",
                *body,
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )


def escaped(text: str) -> str:
    return text.replace("_", r"\_").replace("%", r"\%").replace("±", r"$\pm$").replace("lambda", r"$\lambda$")


def shown(mean: float, deviation: float) -> str:
    """x 1e-2, such as 1.11 ± 0.30."""
    if not math.isfinite(mean):
        return "-"
    digits = 2 if abs(mean) < 0.1 else 1
    told = f"{100 * mean:.{digits}f}"
    return f"{told} ± {100 * deviation:.{digits}f}" if math.isfinite(deviation) else told
