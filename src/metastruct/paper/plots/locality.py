"""Errors over the sweep of the locality weights."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from metastruct.config.facts import metric_facts
from metastruct.paper.methods import named
from metastruct.paper.plots.look import logarithmic, look
from metastruct.paper.results import Results


def locality(results: Results) -> Figure:
    """A dot for each setting of the weights and a line at their median, a column a method."""
    systems = results.different("system")
    count = len(results.errors)
    size = (3.5 * count, 2.5 * len(systems))
    figure, axes = plt.subplots(len(systems), count, figsize=size, squeeze=False, layout="constrained")
    for row, system in enumerate(systems):
        part = results.where(system=system)
        names = part.different("method")
        for ax, metric in zip(axes[row], results.errors, strict=True):
            for i, method in enumerate(names):
                values = metric_facts(metric).scale * np.array(part.where(method=method).means(metric))
                ax.plot(i + np.linspace(-0.25, 0.25, len(values)), values, ls="", ms=4, **look(method))
                if np.isfinite(values).any():
                    ax.hlines(np.nanmedian(values), i - 0.35, i + 0.35, color=look(method)["color"], lw=1)
            logarithmic(ax)
            ax.set_xticks(range(len(names)), [named(name) for name in names])
            ax.set_title(f"{system}: {metric_facts(metric).label}")
        axes[row, 0].set_ylabel(f"error ({metric_facts(results.errors[0]).unit})")
    return figure
