"""Errors over the sweep of the locality weights."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from metastruct.reports.methods import named
from metastruct.reports.plots.look import ERRORS, logarithmic, look
from metastruct.reports.results import FIELD, TRAJECTORY, Results


def locality(results: Results) -> Figure:
    """A dot for each setting of the weights and a line at their median, a column a method."""
    systems = results.different("system")
    figure, axes = plt.subplots(len(systems), 2, figsize=(7, 2.5 * len(systems)), squeeze=False, layout="constrained")
    for row, system in enumerate(systems):
        of = results.where(system=system)
        names = of.different("method")
        for ax, metric in zip(axes[row], (FIELD, TRAJECTORY), strict=True):
            for i, method in enumerate(names):
                values = 100 * np.array(of.where(method=method).means(metric))
                ax.plot(i + np.linspace(-0.25, 0.25, len(values)), values, ls="", ms=4, **look(method))
                if np.isfinite(values).any():
                    ax.hlines(np.nanmedian(values), i - 0.35, i + 0.35, color=look(method)["color"], lw=1)
            logarithmic(ax)
            ax.set_xticks(range(len(names)), [named(name) for name in names])
            ax.set_title(f"{system}: {ERRORS[metric]}")
        axes[row, 0].set_ylabel("error (x 1e-2)")
    return figure
