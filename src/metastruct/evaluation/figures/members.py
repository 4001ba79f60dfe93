"""Which members a figure shows, and how figures look and are written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from metastruct.evaluation.archive import Archive
from metastruct.evaluation.errors import relative_error
from metastruct.runs.files import write_atomically

TRUE, LEARNED = "#222222", "#d1495b"
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9,
    "figure.dpi": 130,
    "axes.titlesize": 9,
}


def save(figure: Figure, *paths: Path) -> None:
    """Write a figure atomically in the formats of these paths, with the same bytes every time, and close it."""
    for path in paths:
        buffer = io.BytesIO()
        kind = path.suffix.lstrip(".")
        figure.savefig(buffer, format=kind, metadata={"CreationDate": None} if kind == "pdf" else None)
        write_atomically(path, buffer.getvalue())
    plt.close(figure)


def errors_of(archive: Archive) -> np.ndarray:
    """Relative trajectory error of each test task, infinite where it is not finite."""
    return np.nan_to_num(relative_error(archive.rollouts, archive.query), nan=np.inf)


def chosen(archive: Archive) -> dict[str, int]:
    """The best, the median and the worst test task, by trajectory error."""
    order = np.argsort(errors_of(archive))
    return {"best": int(order[0]), "median": int(order[len(order) // 2]), "worst": int(order[-1])}


def seen(archive: Archive, task: int, *along: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Of each query trajectory of a task that was seen, as far as it was: its times, and what there is along it."""
    times = np.broadcast_to(archive.times if archive.times.ndim == 1 else archive.times[task], along[0].shape[:2])
    for number, unseen in enumerate(np.isnan(archive.query[task]).any(-1)):
        if not unseen.all():
            yield times[number][~unseen], *(values[number][~unseen] for values in along)
