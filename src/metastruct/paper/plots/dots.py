"""A dot a run, a row a method: every method on every system, brackets, and the families of a joint training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metastruct.config.facts import brings, facts_of, metric_facts
from metastruct.paper.methods import named
from metastruct.paper.plots.look import at, logarithmic, look
from metastruct.paper.results import Result, Results, groups


def methods(results: Results) -> Figure:
    """Errors of every method, a panel each system and error."""
    systems = results.different("system")
    figure, axes, most = _panels(systems, results, _method)
    for column, system in enumerate(systems):
        _column(axes[:, column], results.where(system=system), _method, system, most)
    return figure


def dissipative(results: Results) -> Figure:
    """As `methods`, the bracket beside the method; the chains' errors against their length."""
    systems = results.different("system")
    figure, axes, most = _panels(systems, results.those(lambda run: not _sized(run)), _with_bracket)
    for column, system in enumerate(systems):
        part = results.where(system=system)
        if all(map(_sized, part.runs)):
            _against_length(axes[:, column], part)
        else:
            _column(axes[:, column], part, _with_bracket, system, most)
    return figure


def domains(results: Results) -> Figure:
    """Errors of each family of a joint training."""
    families = list(dict.fromkeys(results.runs[0].domains))
    figure, axes, most = _panels(families, results, _adapted)
    for column, family in enumerate(families):
        _column(axes[:, column], results, _adapted, family, most, family)
    return figure


def settings(results: Results) -> Figure:
    """Errors of every setting of a table, a row a setting, named by the words in which they differ."""
    words = [run["label"].split() for run in results.runs]
    shared = set.intersection(*map(set, words))
    rows, count = max(len({*map(tuple, words)}), 4), len(results.errors)
    figure, axes = plt.subplots(
        1, count, figsize=(4.5 * count, 0.22 * rows + 0.9), sharey=True, squeeze=False, layout="constrained"
    )

    def apart(run: Result) -> str:
        return " ".join(word for word in run["label"].split() if word not in shared) or "as it is"

    _column(axes[0], results, apart, "", rows)
    return figure


def _method(run: Result) -> str:
    return named(run["method"])


def _adapted(run: Result) -> str:
    return ", ".join(filter(None, (named(run["method"]), facts_of("adaptation", run["adaptation"]).short)))


def _with_bracket(run: Result) -> str:
    dynamics, _, bracket = run["dynamics"].rstrip(")").partition("(")
    usual = brings("dynamics", dynamics).get("bracket", "")
    return f"{named(run['method'])} {'' if bracket == usual else bracket}".strip()


def _sized(run: Result) -> bool:
    """Is it one of a system of several sizes?"""
    return run["setting"].startswith("n = ")


def _panels(columns: Sequence[str], results: Results, label: Callable[[Result], str]) -> tuple[Figure, np.ndarray, int]:
    """A row of panels each error, high enough for the most rows that one of them has."""
    most = max(
        (len({label(run) for run in results.where(system=s).runs}) for s in results.different("system")), default=4
    )
    rows = len(results.errors)
    size = (3.2 * len(columns) + 0.8, rows * (0.22 * max(most, 4) + 0.75))
    figure, axes = plt.subplots(rows, len(columns), figsize=size, squeeze=False, layout="constrained")
    return figure, axes, max(most, 4)


def _column(
    axes: np.ndarray, results: Results, label: Callable[[Result], str], title: str, most: int, family: str | None = None
) -> None:
    labels = list(dict.fromkeys(label(run) for run in results.runs))
    for ax, metric in zip(axes, results.errors, strict=True):
        lost = dict.fromkeys(labels, 0)
        for run in results.runs:
            value = metric_facts(metric).scale * run.mean(metric, family)
            lost[label(run)] += int((run.lost & run.inside(family)).sum())
            if np.isfinite(value):
                ax.plot(value, labels.index(label(run)), ls="", ms=5, **look(run["method"]))
        logarithmic(ax, "x")
        if metric == results.errors[-1]:
            _tell_lost(ax, lost)
        ax.set_yticks(range(len(labels)), labels)
        ax.set_ylim(most - 0.5, -0.5)  # rows of the same height in all panels
        ax.grid(axis="x", color="#dddddd", lw=0.5)
        ax.set_axisbelow(True)
        ax.set_xlabel(metric_facts(metric).heading)
    axes[0].set_title(title)


def _tell_lost(ax: Axes, lost: dict[str, int]) -> None:
    if any(lost.values()):
        low, high = ax.get_xlim()
        ax.set_xlim(low, high * (high / low) ** 0.3)  # room for the words
    for row, count in enumerate(lost.values()):
        if count:
            ax.annotate(
                f"{count} diverged", (1.0, row), xycoords=("axes fraction", "data"), ha="right", va="center",
                fontsize=7, color="#a50f15", bbox={"fc": "white", "ec": "none", "pad": 0.5},
            )  # fmt: skip


def _against_length(axes: np.ndarray, results: Results) -> None:
    """Mean errors of the chains against the number of their oscillators, a dot a seed."""
    for ax, metric in zip(axes, results.errors, strict=True):
        for (method,), part in groups(results, ("method",)).items():
            points = sorted(
                (float(run["setting"].removeprefix("n = ")), metric_facts(metric).scale * run.mean(metric))
                for run in part.runs
            )
            lengths = sorted({length for length, _ in points})
            means = [np.nanmean([error for n, error in points if n == length]) for length in lengths]
            ax.plot(*zip(*points, strict=True), ls="", ms=5, **look(method))
            ax.plot(lengths, means, lw=1, color=look(method)["color"])
        logarithmic(ax)
        at(ax, lengths)
        ax.set_xlabel("oscillators n")
        ax.set_ylabel(metric_facts(metric).heading)
    axes[0].set_title(f"{results.runs[0]['system']}, {named(results.runs[0]['method'])}")
