"""Errors along an axis of numbers: observations, adaptation steps, ranks; lines through means, bands over seeds."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metastruct.config.facts import facts_of, metric_facts
from metastruct.paper.methods import named, stepwise, usual
from metastruct.paper.plots.look import QUIET, at, legend, logarithmic, look
from metastruct.paper.results import Results, groups


def shots(results: Results) -> Figure:
    """Errors against observations (left) and adaptation steps (right)."""
    systems, count = results.different("system"), len(results.errors)
    size = (5.5 * count, 2.7 * len(systems))
    figure, axes = plt.subplots(len(systems), 2 * count, figsize=size, squeeze=False, layout="constrained")
    for row, system in enumerate(systems):
        part = results.where(system=system)
        full = part.those(
            lambda run: (
                run.adapted_in_full and (not stepwise(run["adaptation"]) or usual(run["modulation"], run["adaptation"]))
            )
        )
        stepped = part.where(shots="200").those(lambda run: stepwise(run["adaptation"]))
        for column, metric in enumerate(results.errors):
            for place, runs, setting, title in (
                (column, full, "shots", "observations"),
                (count + column, stepped, "steps", "adaptation steps"),
            ):
                if runs:
                    _curves(axes[row, place], runs, setting, metric)
                axes[row, place].set_xlabel(title)
                axes[0, place].set_title(metric_facts(metric).label)
        axes[row, 0].set_ylabel(f"{system}\nerror ({metric_facts(results.errors[0]).unit})")
    legend(figure, axes, 7)
    return figure


def ranks(results: Results, local_ranks: Mapping[str, int]) -> Figure:
    """Errors against the rank or the code's dimension; the family's local rank, where it was measured, as a line."""
    setting = max(("rank", "code_dim"), key=lambda name: len(results.different(name)))
    systems, count = results.different("system"), len(results.errors)
    size = (3.3 * count, 2.6 * len(systems))
    figure, axes = plt.subplots(len(systems), count, figsize=size, squeeze=False, layout="constrained")
    for row, system in enumerate(systems):
        for ax, metric in zip(axes[row], results.errors, strict=True):
            _curves(ax, results.where(system=system), setting, metric, key="modulation")
            ax.set_xlabel("rank" if setting == "rank" else "numbers of the code")
            ax.set_title(f"{system}: {metric_facts(metric).label}")
            if system in local_ranks:
                ax.set_ylim(top=ax.get_ylim()[1] * (ax.get_ylim()[1] / ax.get_ylim()[0]) ** 0.1)  # room for its name
                ax.axvline(local_ranks[system], color=QUIET, lw=1, ls=":", zorder=0)
                ax.annotate(f" local rank {local_ranks[system]}", (local_ranks[system], 1), color=QUIET, fontsize=7,
                            xycoords=("data", "axes fraction"), va="top")  # fmt: skip
        axes[row, 0].set_ylabel(f"error ({metric_facts(results.errors[0]).unit})")
    legend(figure, axes)
    return figure


def _curves(ax: Axes, results: Results, setting: str, metric: str, key: str = "method") -> None:
    for (method, adaptation), part in groups(results, (key, "adaptation")).items():
        places = part.different(setting)
        errors = [
            metric_facts(metric).scale * np.array(part.where(**{setting: place}).means(metric)) for place in places
        ]
        errors = [values[np.isfinite(values)] for values in errors]
        x = np.array([float(place) for place in places])
        centre, low, high = (
            np.array([of_seeds(values) if len(values) else np.nan for values in errors])
            for of_seeds in (lambda values: np.exp(np.log(values).mean()), np.min, np.max)
        )
        other = facts_of("adaptation", adaptation).label
        ax.plot(x, centre, ls="--" if other else "-", ms=4, lw=1.2, **look(method),
                label=f"{named(method)}, {other}" if other else named(method))  # fmt: skip
        ax.fill_between(x, low, high, color=look(method)["color"], alpha=0.15, lw=0)
    logarithmic(ax)
    at(ax, [float(place) for place in results.different(setting)])
