"""Errors against trained parameters."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from metastruct.config.facts import metric_facts
from metastruct.paper.methods import named
from metastruct.paper.plots.look import QUIET, legend, logarithmic, look
from metastruct.paper.results import Results, groups, mean_std
from metastruct.paper.statistics import front


def parameters(results: Results) -> Figure:
    """A mark a method and width, means over seeds; the stairs join those that no other beats in both."""
    count = len(results.errors)
    figure, axes = plt.subplots(1, count, figsize=(3.7 * count, 3.4), squeeze=False, layout="constrained")
    for ax, metric in zip(axes[0], results.errors, strict=True):
        points = []
        for (method, _), part in groups(results, ("method", "setting")).items():
            error, _ = mean_std(part.means(metric))
            if np.isfinite(error):
                points.append((part.runs[0].parameters, metric_facts(metric).scale * error, method))
                ax.plot(*points[-1][:2], ls="", ms=5, label=named(method), **look(method))
        if points:
            sizes, errors, _ = zip(*front(points), strict=True)
            ax.step(sizes, errors, where="post", color=QUIET, lw=1, zorder=0)
        logarithmic(ax, "xy")
        ax.set_xlabel("trained parameters")
        ax.set_ylabel(metric_facts(metric).heading)
    legend(figure, axes, 5)
    return figure
