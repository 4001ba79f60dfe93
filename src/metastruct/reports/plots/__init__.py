"""The figures of the tables, one kind a file; a method has the same colour and marker in all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from metastruct.reports.figures import STYLE, save
from metastruct.reports.plots.curves import ranks, shots
from metastruct.reports.plots.dots import dissipative, domains, methods, settings
from metastruct.reports.plots.initialisation import initialisation
from metastruct.reports.plots.locality import locality
from metastruct.reports.plots.parameters import parameters
from metastruct.reports.results import Results
from metastruct.reports.sources import Measured

DRAWINGS: dict[str, Callable[[Results], Figure]] = {
    "main": methods,
    "morse": methods,
    "untuned": methods,
    "dissipative": dissipative,
    "shots": shots,
    "locality": locality,
    "initialisation": initialisation,
    "parameters": parameters,
    "multi_domain": domains,
    "main_job": settings,
    "defaults": settings,
}


def draw(results: Results, measured: Measured, folder: Path) -> list[Path]:
    """Draw the figure of a table as PNG and PDF; nothing where it has none."""
    drawing = DRAWINGS.get(results.name)
    if drawing is None and results.name != "ranks":
        return []
    with plt.rc_context(STYLE | {"figure.dpi": 160}):
        figure = ranks(results, measured.local_ranks) if drawing is None else drawing(results)
        paths = [folder / f"{results.name}.{kind}" for kind in ("png", "pdf")]
        save(figure, *paths)
    return paths
