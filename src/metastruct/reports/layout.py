"""How the tables of the paper are laid out: which settings make rows, which one columns, and who is compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from metastruct.reports.results import Run


def _all(run: Run) -> bool:
    return True


def _in_full(run: Run) -> bool:
    return run.adapted_in_full


def _stepwise(run: Run) -> bool:
    return run["adaptation"] == "gradient" and run["shots"] == "200"


@dataclass(frozen=True)
class Layout:
    """One table.

    Args:
        title: what it shows.
        rows: the settings that tell its rows apart.
        column: the setting that tells its columns apart, if any.
        rivals: rows that agree in these settings compete for the best of a column.
        domains: one column for each family of a joint training.
        only: which runs belong to it.
        published: do the paper's numbers stand beside?
        file: stem of its files.
    """

    title: str
    rows: tuple[str, ...]
    column: str | None = None
    rivals: tuple[str, ...] = ()
    domains: bool = False
    only: Callable[[Run], bool] = _all
    published: bool = False
    file: str = "table"


LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "main": (Layout("Every method on the conservative systems", ("method",), "system", published=True),),
    "morse": (Layout("Modulations on morse", ("method",), "system"),),
    "untuned": (Layout("Modulations with their defaults", ("method",), "system", published=True),),
    "dissipative": (
        Layout("Dissipative systems", ("system", "setting", "dynamics", "method"), rivals=("system", "setting"),
               published=True),
    ),
    "shots": (
        Layout("Error against observations", ("system", "method", "adaptation"), "shots", ("system",), only=_in_full),
        Layout("Error against adaptation steps, from 200 observations", ("system", "method"), "steps", ("system",),
               only=_stepwise, file="table_steps"),
    ),
    "initialisation": (
        Layout("Start of the adaptation, evolving and reset codes", ("system", "steps", "method", "codes"), "start",
               ("system", "steps")),
    ),
    "locality": (Layout("Locality weights", ("system", "method", "lambda_z"), "lambda_phi", ("system",)),),
    "ranks": (Layout("Rank of the modulation", ("system", "modulation"), "rank", ("system",)),),
    "parameters": (Layout("Error against parameters", ("system", "method", "setting"), rivals=("system",)),),
    "multi_domain": (Layout("One base for three families", ("method", "adaptation"), domains=True),),
    "main_job": (Layout("The main job", ("label",), rivals=("label",), published=True),),
    "defaults": (Layout("One setting at a time changed from its default", ("label",)),),
}  # fmt: skip
WORDS = {"setting": "", "label": "setting", "lambda_z": "lambda z", "lambda_phi": "lambda phi", "shots": "observations"}
