"""Where adaptation starts, and codes that evolve against codes that are reset, pair by pair."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metastruct.config.facts import metric_facts
from metastruct.paper.methods import named
from metastruct.paper.plots.look import QUIET, legend, logarithmic, look
from metastruct.paper.results import Results, groups

Pair = dict[str, str]


def initialisation(results: Results) -> Figure:
    """Below the diagonal: z_avg beats zero (left), evolving codes beat reset ones (right). A mark a seed."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 4.2), layout="constrained")
    evolving, reset = ({"codes": codes, "start": "mean"} for codes in ("evolving", "reset"))
    zero = {"codes": "evolving", "start": "zero"}
    _against(axes[0], results, zero, evolving, "from zero", "from z_avg")
    _against(axes[1], results, reset, evolving, "reset codes", "evolving codes")
    legend(figure, axes, 3)
    return figure


def _against(ax: Axes, results: Results, other: Pair, base: Pair, beside: str, below: str) -> None:
    points, metric, first = [], results.errors[-1], results.different("system")[0]
    for (system, method, _, _), part in groups(results, ("system", "method", "steps", "seed")).items():
        pair = part.where(**other), part.where(**base)
        if not all(pair):
            continue
        point = [metric_facts(metric).scale * runs.means(metric)[0] for runs in pair]
        points += point
        hollow = {} if system == first else {"markerfacecolor": "none"}
        ax.plot(*point, ls="", ms=5, label=f"{named(method)}, {system}", **look(method) | hollow)
    finite = [value for value in points if np.isfinite(value)] or [1.0]
    ends = 0.85 * min(finite), 1.15 * max(finite)
    ax.plot(ends, ends, color=QUIET, lw=1, zorder=0)
    ax.set(xlim=ends, ylim=ends)
    logarithmic(ax, "xy")
    ax.set_aspect("equal")
    ax.set_xlabel(f"{metric_facts(metric).heading}, {beside}")
    ax.set_ylabel(f"{metric_facts(metric).heading}, {below}")
