"""True and adapted motion side by side: portraits in a plane, which hide errors of the phase, and over time."""

from __future__ import annotations

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metastruct.evaluation.archive import Archive
from metastruct.evaluation.figures.members import LEARNED, SUPPORT, TRUE, chosen, errors_of, median, real, seen

FRAMES = 60  # of an animation
TRAIL = 0.15  # of the instants, that stay to be seen


def phase_portrait(archive: Archive) -> Figure:
    """Query trajectories in the plane of the evaluation grid, and the first of each task over time."""
    plane = [*dict.fromkeys(archive.grid_axes.tolist())]  # a state of one component has no plane
    flat = len(plane) == 1
    members = chosen(archive)
    columns = len(members)
    figure, axes = plt.subplots(
        3 - flat * 2, columns, figsize=(1 + 3 * columns, 3.0 if flat else 6.6), layout="constrained", squeeze=False,
        height_ratios=[1] if flat else [2, 1, 1],
    )  # fmt: skip
    errors = errors_of(archive)
    for column, (word, task) in zip(axes.T, members.items(), strict=True):
        if not flat:
            _portrait(column[0], archive, task, plane)
        times, true, adapted = next(seen(archive, task, archive.query[task], archive.rollouts[task]))
        for axis, place in zip(column if flat else column[1:], plane, strict=True):
            axis.plot(times, true[:, place], color=TRUE, lw=2.4, alpha=0.35, label=real(archive))
            axis.plot(times, adapted[:, place], color=LEARNED, lw=0.9, label="adapted")
            axes[-1 if flat else 1 + plane.index(place), 0].set_ylabel(archive.labels[place])
        error = f"error {100 * errors[task]:.3g} %"
        column[0].set_title(f"{word} of {len(errors)} new members, {error}\n{archive.test_members[task]}")
        column[-1].set_xlabel(archive.clock)
    if not flat:
        axes[0, 0].set_ylabel(archive.labels[plane[1]])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def _portrait(axis: Axes, archive: Archive, task: int, plane: list[int]) -> None:
    """The paths of a task in a plane, and the observations that it was adapted to."""
    if archive.support is not None:
        points = archive.support[task][:, plane]
        points = points[np.isfinite(points).all(-1)]
        axis.plot(*points.T, ".", color=SUPPORT, ms=2.5, alpha=0.6, label="adapted to", zorder=0)
    for i, (_, *paths) in enumerate(seen(archive, task, archive.query[task], archive.rollouts[task])):
        true, adapted = (path[:, plane].T for path in paths)
        axis.plot(*true, color=TRUE, lw=2.4, alpha=0.35, label=real(archive) if i == 0 else None)
        axis.plot(*adapted, color=LEARNED, lw=0.9, label="adapted" if i == 0 else None)
        axis.plot(*true[:, 0], "o", color=TRUE, ms=3)
    axis.set_xlabel(archive.labels[plane[0]])


def motion(archive: Archive) -> tuple[Figure, FuncAnimation]:
    """The first query trajectory of the median task as it goes, in the plane and over time."""
    task, (first, second) = median(archive), archive.grid_axes.tolist()
    times, true, adapted = next(seen(archive, task, archive.query[task], archive.rollouts[task]))
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained", width_ratios=[1, 1.4])
    looks = {real(archive): {"color": TRUE, "lw": 2.4, "alpha": 0.35}, "adapted": {"color": LEARNED, "lw": 1.2}}
    lines, dots = [], []
    for (name, look), path in zip(looks.items(), (true, adapted), strict=True):
        across = times if first == second else path[:, first]
        left.plot(across, path[:, second], **(look | {"alpha": 0.12}))
        right.plot(times, path[:, first], **(look | {"alpha": 0.12}))
        for axis, x, y in ((left, across, path[:, second]), (right, times, path[:, first])):
            lines.append((*axis.plot([], [], **look, label=name), x, y))
            dots.append((*axis.plot([], [], "o", color=look["color"], ms=5), x, y))
    left.set(xlabel=archive.clock if first == second else archive.labels[first], ylabel=archive.labels[second])
    right.set(xlabel=archive.clock, ylabel=archive.labels[first], title=archive.test_members[task])
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    ends = np.linspace(1, len(times), min(FRAMES, len(times))).round().astype(int)
    return figure, FuncAnimation(figure, partial(_moved, lines=lines, dots=dots), frames=ends)


def _moved(end: int, lines: list, dots: list) -> None:
    """Show what there is until an instant."""
    for line, x, y in lines:
        start = max(0, end - max(2, round(TRAIL * len(x))))
        line.set_data(x[start:end], y[start:end])
    for dot, x, y in dots:
        dot.set_data(x[end - 1 : end], y[end - 1 : end])
