"""Errors against trained parameters."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from metastruct.reports.methods import named
from metastruct.reports.plots.look import ERRORS, QUIET, legend, logarithmic, look
from metastruct.reports.results import FIELD, TRAJECTORY, Results, groups


def parameters(results: Results) -> Figure:
    """A mark a method and width, means over seeds; the stairs join those that no other beats in both."""
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.4), layout="constrained")
    for ax, metric in zip(axes, (FIELD, TRAJECTORY), strict=True):
        points = []
        for (method, _), of in groups(results, ("method", "setting")).items():
            errors = [error for error in of.means(metric) if np.isfinite(error)]
            if errors:
                points.append((of.runs[0].parameters, 100 * float(np.mean(errors))))
                ax.plot(*points[-1], ls="", ms=5, label=named(method), **look(method))
        front, best = [], np.inf
        for size, error in sorted(points):
            if error < best:
                best = error
                front.append((size, error))
        if front:
            ax.step(*zip(*front, strict=True), where="post", color=QUIET, lw=1, zorder=0)
        logarithmic(ax, "xy")
        ax.set_xlabel("trained parameters")
        ax.set_ylabel(f"{ERRORS[metric]} (x 1e-2)")
    legend(figure, axes, 5)
    return figure
