"""A figure of what codes mean: labels as codes tell them, beside what people wrote down."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from metastruct.evaluation.archive import Archive
from metastruct.evaluation.figures.members import LEARNED, TRUE
from metastruct.evaluation.probe import FEWEST, Probe


def legible(archive: Archive) -> bool:
    """Are there labels, of members of one family, with a code for each?"""
    codes, labels = archive.train_codes, archive.train_parameters
    if not len(archive.parameter_names) or len(codes) != len(labels) or len(set(archive.train_domains.tolist())) > 1:
        return False
    return bool(np.isfinite(codes).all() and np.isfinite(labels).all() and len(labels) >= FEWEST)


def labels(archive: Archive) -> Figure:
    """Each label of each member, predicted from its code by a probe that did not see it, over what it is."""
    names = archive.parameter_names
    figure, axes = plt.subplots(1, len(names), figsize=(3.2 * len(names), 3.2), layout="constrained", squeeze=False)
    for number, (axis, name) in enumerate(zip(axes[0], names, strict=True)):
        values, new = archive.train_parameters[:, number], archive.test_parameters[:, number]
        probe = Probe.of(archive.train_codes, values)
        axis.plot(values, probe.left_out, ".", color=TRUE, alpha=0.6, label="training members, left out in turn")
        axis.plot(new, probe.values(archive.test_codes), "X", color=LEARNED, mec="k", mew=0.5, label="new members")
        ends = [np.nanmin([*values, *new]), np.nanmax([*values, *new])]
        axis.plot(ends, ends, color=TRUE, lw=0.6, ls=":")
        axis.set(xlabel=name, title=f"{name}: $R^2$ = {probe.r2:.3f}")
    axes[0, 0].set_ylabel("as the code says")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure
