"""Which members a figure shows, and how figures look and are written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.figure import Figure

from metastruct.evaluation.archive import Archive
from metastruct.evaluation.errors import relative_error
from metastruct.runs.files import write_atomically

TRUE, LEARNED, SUPPORT = "#222222", "#d1495b", "#0072b2"
SAFE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#000000", "#999933")  # for the colour-blind
STYLE: Any = {
    "axes.prop_cycle": cycler(color=SAFE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9,
    "figure.dpi": 130,
    "axes.titlesize": 9,
    "svg.hashsalt": "metastruct",  # the same bytes every time
}
WITHOUT_DATES: Any = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


@contextmanager
def styled(**more: Any) -> Iterator[None]:
    """The look of all figures, for what is drawn inside.

    Other settings stay as they become inside: a notebook's backend says, when the first figure is made, that it is
    interactive, and a context of all settings would take that back.
    """
    look = STYLE | more
    before = {name: mpl.rcParams[name] for name in look}
    mpl.rcParams.update(look)
    try:
        yield
    finally:
        mpl.rcParams.update(before)


def save(figure: Figure, *paths: Path) -> None:
    """Write a figure atomically in the formats of these paths, with the same bytes every time, and close it."""
    for path in paths:
        buffer = io.BytesIO()
        kind = path.suffix.lstrip(".")
        figure.savefig(buffer, format=kind, metadata=WITHOUT_DATES.get(kind))
        write_atomically(path, buffer.getvalue())
        figure.set_layout_engine("none")  # stays as it is; laying out is half of the work
    plt.close(figure)


def moving(figure: Figure, animation: FuncAnimation, path: Path) -> None:
    """Write an animation atomically as GIF, and close its figure."""
    with TemporaryDirectory() as place:
        file = Path(place) / path.name
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # as of `save`
        animation.save(file, writer=PillowWriter(fps=20), dpi=90)
        write_atomically(path, file.read_bytes())
    plt.close(figure)


def errors_of(archive: Archive) -> np.ndarray:
    """Relative trajectory error of each test task, infinite where it is not finite."""
    return np.nan_to_num(relative_error(archive.rollouts, archive.query), nan=np.inf)


def chosen(archive: Archive) -> dict[str, int]:
    """The best, the median and the worst test task, by trajectory error; none of them twice."""
    order = [*map(int, np.argsort(errors_of(archive)))]
    places = {"best": 0, "median": len(order) // 2, "worst": len(order) - 1}
    if len(order) < 3:
        places = {"the only": 0} if len(order) == 1 else {"best": 0, "worst": 1}
    return {word: order[place] for word, place in places.items()}


def median(archive: Archive) -> int:
    """The median test task, of two the worst."""
    order = np.argsort(errors_of(archive))
    return int(order[len(order) // 2])


def real(archive: Archive) -> str:
    """What a member is compared with: its true motion, or, where nobody knows the law, what was observed of it."""
    return "observed" if archive.residuals is not None else "true"


def seen(archive: Archive, task: int, *along: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Of each query trajectory of a task that was seen, as far as it was: its times, and what there is along it."""
    times = np.broadcast_to(archive.times if archive.times.ndim == 1 else archive.times[task], along[0].shape[:2])
    for number, unseen in enumerate(np.isnan(archive.query[task]).any(-1)):
        if not unseen.all():
            yield times[number][~unseen], *(values[number][~unseen] for values in along)
