"""Forecasts of adapted members as a table and as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from metastruct.data.tables.layout import Layout
from metastruct.evaluation.figures.forecasts import band
from metastruct.evaluation.figures.members import save, styled
from metastruct.runs.files import write_atomically

SHOWN = 4  # trajectories of a picture


@dataclass(frozen=True)
class Along:
    """A forecast of one trajectory.

    Args:
        member, trajectory: their names, empty where they have none.
        times: `[instants]`.
        states: `[instants, state]`.
        std: standard deviations of their errors, where there are any.
        observed: what was seen, where anything was.
    """

    member: str
    trajectory: str
    times: np.ndarray
    states: np.ndarray
    std: np.ndarray | None = None
    observed: np.ndarray | None = None


def table(every: Sequence[Along], layout: Layout) -> str:
    """As CSV, in the format that trainings read, with a column more for the standard deviation of each state."""
    text = io.StringIO()
    rows, named = csv.writer(text, lineterminator="\n"), any(one.member or one.trajectory for one in every)
    places = [layout.member, layout.trajectory] if named else []
    deviations = [f"{name}_std" for name in layout.states] if every[0].std is not None else []
    rows.writerow([*places, layout.time, *layout.states, *deviations])
    for one in every:
        parts = [one.times[:, None], one.states, *([] if one.std is None else [one.std])]
        for row in np.concatenate(parts, axis=1).tolist():
            rows.writerow([*([one.member, one.trajectory] if named else []), *(f"{value:.10g}" for value in row)])
    return text.getvalue()


def written(every: Sequence[Along], layout: Layout, path: Path) -> None:
    """Write the table, whole or not at all."""
    write_atomically(path, table(every, layout))


def draw(every: Sequence[Along], layout: Layout, path: Path) -> None:
    """Draw the first trajectories of different members, every component over time, with bands that hold 95 %."""
    first = {one.member: one for one in reversed(every)}
    shown = ([*reversed(first.values())] if len(first) > 1 else [*every])[:SHOWN]
    size = len(layout.states)
    with styled():
        figure, axes = plt.subplots(
            size, len(shown), figsize=(3.4 + 2.6 * len(shown), 1 + 1.6 * size), layout="constrained", squeeze=False
        )
        for column, one in enumerate(shown):
            for part, name in enumerate(layout.states):
                states = None if one.observed is None else one.observed[:, part]
                band(
                    axes[part, column],
                    one.times,
                    states,
                    one.states[:, part],
                    None if one.std is None else one.std[:, part],
                )
                axes[part, 0].set_ylabel(layout.titled(name))
            trajectory = f"trajectory {one.trajectory}" if one.trajectory else ""
            axes[0, column].set_title(", ".join(filter(None, (one.member, trajectory))))
            axes[-1, column].set_xlabel(layout.titled(layout.time))
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
        save(figure, path)
