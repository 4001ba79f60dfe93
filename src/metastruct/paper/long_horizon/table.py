"""The table and the figure of a long-horizon study, from its records."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from metastruct.evaluation.errors import MODEL_ERROR, STEP_ERROR
from metastruct.evaluation.figures.members import save, styled
from metastruct.runs.lines import write_lines
from metastruct.runs.tables import Row, read_records

ORBITS = "orbits.csv"  # one row a value: run, system, integrator, steps_per_period, seed, task, trajectory, metric
TITLE = "Energy and trajectories over many periods"
PANELS = {
    "amplitude": "amplitude of the energy",
    "slope": "|secular slope| of the energy, a period",
    STEP_ERROR: "trajectory error of the integrator",
    MODEL_ERROR: "trajectory error against the truth",
}
NOTE = (
    "Medians over the trajectories that stayed finite; energies in units of the learned energy's range on the "
    "evaluation box. A slope counts as zero where it is below twice its fitted error. Evaluations are calls for the "
    "whole batch, of the field, the energy or its gradient; a splitting uses half of each of its three a step, an "
    "implicit scheme iterates until the slowest trajectory has converged."
)
Cell = tuple[str, int]  # integrator, steps a period


def cells(rows: list[Row]) -> dict[Cell, dict[str, list[float]]]:
    """The values of each metric, in the order of the trajectories, by integrator and steps a period."""
    by_cell: dict[Cell, dict[str, list[float]]] = {}
    for row in rows:
        cell = by_cell.setdefault((row["integrator"], int(row["steps_per_period"])), {})
        cell.setdefault(row["metric"], []).append(float(row["value"]))
    return dict(sorted(by_cell.items()))


def table(rows: list[Row]) -> list[dict[str, Any]]:
    """One line for each integrator and step."""
    lines = []
    for (integrator, steps), values in cells(rows).items():
        pairs = [*zip(values["slope"], values["slope_error"], strict=True)]
        line: dict[str, Any] = {"integrator": integrator, "steps a period": steps}
        line["evaluations a period"] = values["evaluations_per_period"][0]
        line["amplitude"] = _median(values["amplitude"])
        line["slope"] = _median(values["slope"])
        line["slope error"] = _median(values["slope_error"])
        line["zero slopes"] = f"{sum(abs(slope) <= 2 * error for slope, error in pairs)} of {len(pairs)}"
        line["integrator error"] = _median(values[STEP_ERROR])
        line["trajectory error"] = _median(values[MODEL_ERROR])
        line["not finite"] = sum(math.isnan(value) for value in values["amplitude"])
        lines.append(line)
    return lines


def figure(rows: list[Row]) -> Figure:
    """Amplitude, slope and errors of each integrator over its cost; hollow where the slope is zero within its error."""
    by_cell = cells(rows)
    drawn, axes = plt.subplots(1, len(PANELS), figsize=(3.3 * len(PANELS), 3.4), layout="constrained")
    for name in sorted({integrator for integrator, _ in by_cell}):
        series = [values for (integrator, _), values in by_cell.items() if integrator == name]
        cost = [values["evaluations_per_period"][0] for values in series]
        for axis, (metric, title) in zip(axes, PANELS.items(), strict=True):
            heights = [_median([*map(abs, values[metric])]) for values in series]
            (line,) = axis.loglog(cost, heights, "o-", lw=1, ms=4, label=name.replace("_", " "))
            if metric == "slope":
                errors = [_median(values["slope_error"]) for values in series]
                line.set_markerfacecolor("white" if _vanish(series) else line.get_color())
                axis.errorbar(cost, heights, yerr=errors, fmt="none", ecolor=line.get_color(), lw=0.8, capsize=2)
            axis.set(xlabel="evaluations a period", title=title)
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    return drawn


def _median(values: list[float]) -> float:
    """Over the rollouts that stayed finite; NaN where none did."""
    kept = [value for value in values if math.isfinite(value)]
    return statistics.median(kept) if kept else math.nan


def _vanish(series: list[dict[str, list[float]]]) -> bool:
    """Are nearly all slopes of an integrator zero within twice their error?"""
    pairs = [pair for values in series for pair in zip(values["slope"], values["slope_error"], strict=True)]
    return sum(abs(slope) <= 2 * error for slope, error in pairs) > 0.9 * len(pairs)


def write_study(folder: Path) -> None:
    """Table and figure beside the orbits.csv of the folder, if there is one."""
    if not (folder / ORBITS).exists():
        return
    rows = read_records([folder / ORBITS])
    write_lines(folder, table(rows), TITLE, NOTE)
    with styled():
        save(figure(rows), *(folder / f"long_horizon.{form}" for form in ("png", "pdf")))
