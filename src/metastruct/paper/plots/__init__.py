"""The figures of the tables, one kind a file; a method has the same colour and marker in all of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from inspect import signature
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure

from metastruct.config.facts import described
from metastruct.evaluation.figures.members import save, styled
from metastruct.paper.results import Results
from metastruct.paper.sources import Measured


def draw(results: Results, measured: Measured, folder: Path) -> list[Path]:
    """Draw the figure of a table, that of its yaml, as PNG and PDF; nothing where it has none."""
    name: str | None = described("table", results.name).get("drawing")
    if name is None:
        return []
    module, _, function = name.partition(".")
    drawing: Callable[..., Figure] = getattr(import_module(f"{__name__}.{module}"), function)
    more = [measured.local_ranks] if "local_ranks" in signature(drawing).parameters else []
    with styled(**{"figure.dpi": 160}):
        figure = drawing(results, *more)
        paths = [folder / f"{results.name}.{kind}" for kind in ("png", "pdf")]
        save(figure, *paths)
    return paths
