"""Space-time pictures of fields on a line: the truth, the adapted member, and the difference."""

from __future__ import annotations

import re
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from metastruct.evaluation.archive import Archive
from metastruct.evaluation.figures.members import chosen, errors_of

FEWEST = 16  # components of one name and a number, that are seen as a field


def fields_of(archive: Archive) -> dict[str, np.ndarray]:
    """The components of each field by its name, in the order of their numbers; states q1, q2, ... are one, q."""
    fields: dict[str, list[int]] = {}
    for place, name in enumerate(archive.state_names.tolist()):
        if match := re.fullmatch(r"(\D+)\d+", name):
            fields.setdefault(match[1], []).append(place)
    return {name: np.array(places) for name, places in fields.items() if len(places) >= FEWEST}


def space_time(archive: Archive) -> Figure:
    """The first field over sites and time, along the first query trajectory of the best, median and worst task."""
    (name, places), *_ = fields_of(archive).items()
    errors, times = errors_of(archive), archive.times
    members = chosen(archive)
    figure, axes = plt.subplots(
        len(members), 3, figsize=(10, 0.5 + 2.5 * len(members)), layout="constrained", squeeze=False,
        sharex=True, sharey=True,
    )  # fmt: skip
    for row, (word, task) in zip(axes, members.items(), strict=True):
        true, adapted = (paths[task, 0][:, places] for paths in (archive.query, archive.rollouts))
        instants = times if times.ndim == 1 else times[task, 0]
        sites = np.arange(1, len(places) + 1)
        largest = np.nanmax(np.abs(np.where(np.isfinite(adapted), adapted - true, np.nan)), initial=0.0) or 1.0
        same = {"cmap": "viridis", "vmin": np.nanmin(true), "vmax": np.nanmax(true)}
        panels: Any = {
            "true": (true, same),
            "adapted": (adapted, same),
            "adapted - true": (adapted - true, {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}),
        }
        for axis, (title, (values, look)) in zip(row, panels.items(), strict=True):
            image = axis.pcolormesh(sites, instants, values, shading="nearest", rasterized=True, **look)
            figure.colorbar(image, ax=axis)
            axis.set_title(f"{name}, {title}")
        row[0].set_ylabel(f"{archive.clock}, {word}: error {100 * errors[task]:.2f} %")
    for axis in axes[-1]:
        axis.set_xlabel("site")
    return figure
