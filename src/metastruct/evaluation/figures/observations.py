"""One picture of measured trajectories: every component over time, and the plane of the first two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from metastruct.data.family import Family
from metastruct.evaluation.figures.members import SAFE, save, styled

MEMBERS, TRAJECTORIES = len(SAFE), 8  # that are drawn: no two members in one colour
STYLES: Any = {"marker": ".", "markersize": 2.5, "linewidth": 0.6, "alpha": 0.8}


def draw(family: Family, path: Path) -> None:
    """Draw the first members, each in a colour."""
    layout, states = family.layout, family.layout.states
    plane = len(states) > 1
    with styled():
        figure, grid = plt.subplots(
            len(states),
            1 + plane,
            figsize=(6 + 3 * plane, 1.4 + 1.6 * len(states)),
            squeeze=False,
            layout="constrained",
        )
        if plane:
            shape = grid[0, 0].get_gridspec()
            for ax in grid[:, 1]:
                ax.remove()
            portrait = figure.add_subplot(shape[:, 1])
            _label(portrait, *(layout.titled(name) for name in states[:2]))
        for number, member in enumerate(family.members[:MEMBERS]):
            for count, one in enumerate(member.trajectories[:TRAJECTORIES]):
                look = {"color": f"C{number}", "label": member.name if not count else None}
                for component in range(len(states)):
                    grid[component, 0].plot(one.times, one.states[:, component], **STYLES, **look)
                if plane:
                    portrait.plot(one.states[:, 0], one.states[:, 1], **STYLES, color=look["color"])
        for component, name in enumerate(states):
            _label(
                grid[component, 0],
                layout.titled(layout.time) if component + 1 == len(states) else "",
                layout.titled(name),
            )
        handles, labels = grid[0, 0].get_legend_handles_labels()
        title = f"{min(len(family), MEMBERS)} of {len(family)} members"
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=7, title=title)
        save(figure, path)


def _label(ax: Axes, x: str, y: str) -> None:
    ax.set_xlabel(x)
    ax.set_ylabel(y)
