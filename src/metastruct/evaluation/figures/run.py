"""The figures of a run, drawn from its evaluation.npz."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metastruct.evaluation.archive import Archive
from metastruct.evaluation.figures import fields, forecasts, labels, portraits
from metastruct.evaluation.figures.members import LEARNED, TRUE, chosen, median, moving, save, seen, styled

ACROSS = 3  # panels beside each other, so that a page can hold them


def draw_all(evaluation: Path, folder: Path, formats: Sequence[str] = ("png",), animation: bool = False) -> None:
    """Draw every figure that the archive allows, each written atomically; errors as of `Archive.load`.

    Args:
        formats: as the names of files end: png, pdf, svg.
        animation: also the motion of the median task, motion.gif.
    """
    archive = Archive.load(evaluation)
    drawings = {"phase_portrait": portraits.phase_portrait, "adaptation": adaptation}
    if archive.true_field is not None:
        drawings["field_error"] = field_error
    if archive.true_energy is not None or archive.learned_energy is not None:
        drawings["energy"] = energy
    if len(archive.train_codes) == len(archive.train_parameters) and np.isfinite(archive.train_codes).all():
        alike = len(set(archive.train_domains)) == 1 and len(archive.parameter_names) > 0
        drawings["codes"] = codes if alike else codes_of_domains
    if len(archive.history):
        drawings["training"] = training
    if archive.true_entropy is not None or archive.learned_entropy is not None:
        drawings["entropy"] = entropy
    if archive.residuals is not None:
        drawings |= {"forecast": forecasts.forecast, "horizon": forecasts.horizon, "residuals": forecasts.residuals}
    if labels.legible(archive):
        drawings["labels"] = labels.labels
    if fields.fields_of(archive):
        drawings["space_time"] = fields.space_time
    if archive.singular_values:
        drawings["singular_values"] = singular_values
    with styled():
        for name, draw in drawings.items():
            save(draw(archive), *(folder / f"{name}.{kind}" for kind in formats))
        if animation:
            moving(*portraits.motion(archive), folder / "motion.gif")


def drawn(folder: Path, formats: Sequence[str], animation: bool) -> bool:
    """Does a folder hold the figures of a run in these formats, and the animation where it is asked for?"""
    names = [*(f"phase_portrait.{kind}" for kind in formats), *(["motion.gif"] if animation else [])]
    return all((folder / name).exists() for name in names)


def draw_portrait(evaluation: Path, *paths: Path) -> None:
    """Draw the phase portrait alone, in the formats of these paths; errors as of `Archive.load`."""
    with styled():
        save(portraits.phase_portrait(Archive.load(evaluation)), *paths)


def energy(archive: Archive) -> Figure:
    """Change of the learned and of the true energy along the adapted rollouts of the median task."""
    energies = {
        "learned": (archive.learned_energy, archive.learned_energy_range),
        "true": (archive.true_energy, archive.true_energy_range),
    }
    task = median(archive)
    changes = {
        kind: (along[task] - along[task][:, :1]) / (spread[task] or 1.0)
        for kind, (along, spread) in energies.items()
        if along is not None and spread is not None
    }
    figure = _along(archive, task, "H", changes, "(H(t) - H(0)) / range of H on the box")
    for axis in figure.axes:
        axis.ticklabel_format(axis="y", scilimits=(-2, 3))
    return figure


def entropy(archive: Archive) -> Figure:
    """Rise of the learned and of the true entropy along the adapted rollouts of the median task."""
    entropies = {"learned": archive.learned_entropy, "true": archive.true_entropy}
    task = median(archive)
    rises = {
        kind: (along[task] - along[task][:, :1]) / (np.ptp(along[task]) or 1.0)
        for kind, along in entropies.items()
        if along is not None
    }
    return _along(archive, task, "S", rises, "(S(t) - S(0)) / range of S on the rollouts")


def _along(archive: Archive, task: int, symbol: str, curves: dict[str, np.ndarray], label: str) -> Figure:
    """A panel for the learned and one for the true potential, as far as they are there."""
    figure, axes = plt.subplots(1, len(curves), figsize=(4.6 * len(curves), 3.2), layout="constrained", squeeze=False)
    for axis, (kind, values) in zip(axes[0], curves.items(), strict=True):
        for times, curve in seen(archive, task, values):
            axis.plot(times, curve, color=LEARNED if kind == "learned" else TRUE, lw=0.9, alpha=0.8)
        axis.set(xlabel=archive.clock, title=f"{kind} {symbol} along adapted rollouts ({archive.test_members[task]})")
    axes[0, 0].set_ylabel(label)
    return figure


def field_error(archive: Archive) -> Figure:
    """Where in its box the adapted field is off, for the best, the median and the worst task."""
    members = chosen(archive)
    columns = len(members)
    figure, axes = plt.subplots(1, columns, figsize=(1 + 3 * columns, 3.2), layout="constrained", squeeze=False)
    plane = archive.grid_axes.tolist()
    first, second = (archive.labels[place] for place in plane)
    true, learned, grids = archive.true_field, archive.learned_field, archive.grid
    assert true is not None
    assert grids is not None
    scale = np.sqrt((true**2).sum(-1).mean(axis=(1, 2)))
    error = np.sqrt(((learned - true) ** 2).sum(-1)) / scale[:, None, None]
    shown = np.stack([error[task] for task in members.values()])
    top = shown.max(where=np.isfinite(shown), initial=0.0) or 1.0  # of a diverged task there is nothing to see
    for axis, (word, task) in zip(axes[0], members.items(), strict=True):
        grid = grids[task]
        image = axis.pcolormesh(
            grid[..., plane[0]],
            grid[..., plane[1]],
            error[task],
            vmin=0,
            vmax=top,
            cmap="magma_r",
            shading="gouraud",
            rasterized=True,
        )
        axis.set(xlabel=first, title=f"{word}\n{archive.test_members[task]}")
        for path in archive.query[task]:
            axis.plot(*path[:, plane].T, color=TRUE, lw=0.4, alpha=0.5)
    axes[0, 0].set_ylabel(second)
    figure.colorbar(image, ax=axes, label="|learned - true| / rms |true|")
    return figure


def adaptation(archive: Archive) -> Figure:
    """Support loss of each new task along its adaptation."""
    figure, axis = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.semilogy(archive.trace, color=LEARNED, lw=0.7, alpha=0.6)
    axis.semilogy(np.median(archive.trace, axis=1), color=TRUE, lw=1.8, label="median")
    axis.set(
        xlabel="adaptation step", ylabel="loss of what was seen of them", title=f"{archive.trace.shape[1]} new members"
    )
    axis.legend(frameon=False)
    return figure


def codes(archive: Archive) -> Figure:
    """First two principal components of the training codes, coloured by each true parameter; new tasks as crosses."""
    names = archive.parameter_names
    points, new, share = archive.principal()
    figure, axes = plt.subplots(1, len(names), figsize=(3.6 * len(names), 3.2), layout="constrained", squeeze=False)
    for i, (axis, name) in enumerate(zip(axes[0], names, strict=True)):
        values = archive.train_parameters[:, i]
        limits = {"vmin": values.min(), "vmax": values.max(), "cmap": "viridis"}
        dots = axis.scatter(*points.T, c=values, s=22, **limits)
        axis.scatter(
            *new.T,
            c=archive.test_parameters[:, i],
            s=34,
            marker="X",
            edgecolors="k",
            linewidths=0.6,
            **limits,
        )
        axis.set(xlabel=f"PC 1 ({100 * share[0]:.0f} %)", title=f"coloured by {name} (X: new members)")
        figure.colorbar(dots, ax=axis)
    axes[0, 0].set_ylabel(f"PC 2 ({100 * share[1]:.0f} %)" if len(share) > 1 else "")
    return figure


def codes_of_domains(archive: Archive) -> Figure:
    """First two principal components of the training codes, coloured by domain; new tasks as crosses."""
    points, new, share = archive.principal()
    figure, axis = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
    for i, name in enumerate(dict.fromkeys(archive.train_domains.tolist())):
        old, crosses = points[archive.train_domains == name], new[archive.test_domains == name]
        axis.scatter(old[:, 0], old[:, 1], s=22, color=f"C{i}", label=name)
        axis.scatter(crosses[:, 0], crosses[:, 1], s=34, color=f"C{i}", marker="X", edgecolors="k", linewidths=0.6)
    axis.set(xlabel=f"PC 1 ({100 * share[0]:.0f} %)", title="codes of the members (X: new members)")
    axis.set_ylabel(f"PC 2 ({100 * share[1]:.0f} %)" if len(share) > 1 else "")
    figure.legend(loc="outside right center", frameon=False)
    return figure


def training(archive: Archive) -> Figure:
    """Training loss over the outer steps."""
    figure, axis = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    axis.semilogy(*archive.history.T, color=TRUE, lw=1)
    axis.set(xlabel="training step", ylabel="training loss", title=f"{len(archive.train_parameters)} training members")
    return figure


def singular_values(archive: Archive) -> Figure:
    """Distribution over the training tasks of the singular values of each site."""
    sites = archive.singular_values
    columns = min(ACROSS, len(sites))
    rows = -(-len(sites) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.2 * columns, 0.4 + 2.6 * rows), layout="constrained", squeeze=False, sharey=True
    )
    for axis in axes.flat[len(sites) :]:
        axis.remove()
    for axis, (site, values) in zip(axes.flat, sites.items(), strict=False):
        axis.boxplot(values, medianprops={"color": LEARNED}, flierprops={"markersize": 2})
        axis.set(xlabel="i", title=site)
    figure.supylabel("singular value d_i of each training member", fontsize="medium")
    return figure
