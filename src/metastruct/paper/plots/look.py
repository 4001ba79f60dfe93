"""What all figures of the tables share: looks of the methods, logarithmic axes with plain numbers, one legend."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from metastruct.paper.methods import facts, methods, of_weights, stem

SPARE = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22", "#17becf")
MARKS = ("8", "d", "H", "*", "1", "2", "3", "4", "x", "+")
QUIET = "#777777"


def look(method: str) -> dict[str, Any]:
    """Colour and marker of a method, those of its yaml or spare ones; methods without codes are hollow."""
    style, order = facts(method), methods()
    place = order.index(stem(method)) if stem(method) in order else len(order)
    colour, marker = style.colour or SPARE[place % len(SPARE)], style.marker or MARKS[place % len(MARKS)]
    return {"color": colour, "marker": marker} | ({"markerfacecolor": "white"} if of_weights(method) else {})


def logarithmic(ax: Axes, names: str = "y") -> None:
    """Make axes logarithmic, once everything is drawn, with a few ticks that are plain numbers such as 0.5 or 20."""
    for name in names:
        getattr(ax, f"set_{name}scale")("log")
        axis: Axis = getattr(ax, f"{name}axis")
        axis.set_major_locator(FixedLocator(ticks(*sorted(axis.get_view_interval()))))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())


def ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers between two positive ones."""
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        ticks = [digit * 10.0**decade for decade in decades for digit in digits]
        ticks = [float(f"{value:.6g}") for value in ticks if low <= value <= high]
        if len(ticks) >= 3:
            return ticks[:: (len(ticks) + 6) // 7]
    for count in range(4, 9):
        inside = MaxNLocator(count, steps=[1, 2, 5, 10]).tick_values(low, high)
        ticks = [float(f"{value:.6g}") for value in inside if low <= value <= high]
        if len(ticks) >= 3:
            break
    return ticks


def at(ax: Axes, values: list[float]) -> None:
    """A logarithmic x axis with a tick at each value, and a label where there is room for one."""
    ax.set_xscale("log")
    room = 0.1 * np.log(max(values) / min(values))
    labels: list[str] = []
    last = np.inf
    for value in sorted(values, reverse=True):
        free = last - np.log(value) >= room
        labels.append(f"{value:g}" if free else "")
        last = np.log(value) if free else last
    ax.xaxis.set_major_locator(FixedLocator(sorted(values)))
    ax.set_xticks(sorted(values), labels[::-1])
    ax.xaxis.set_minor_locator(NullLocator())


def legend(figure: Figure, axes: np.ndarray, columns: int = 4) -> None:
    """One legend below for all panels `[rows, columns]`."""
    entries = {label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(
        entries.values(), entries.keys(), loc="outside lower center", ncols=columns, frameon=False, fontsize=8
    )
