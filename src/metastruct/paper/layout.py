"""How the tables of the paper are laid out: which settings make rows, which one columns, and who is compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from metastruct.config.facts import described, options
from metastruct.paper.methods import stepwise
from metastruct.paper.results import Result


def _all(run: Result) -> bool:
    return True


def _in_full(run: Result) -> bool:
    return run.adapted_in_full


def _stepwise(run: Result) -> bool:
    return stepwise(run["adaptation"]) and run["shots"] == "200"


@dataclass(frozen=True)
class SheetLayout:
    """One table.

    Args:
        title: what it shows.
        rows: the settings that tell its rows apart.
        column: the setting that tells its columns apart, if any.
        rivals: rows that agree in these settings compete for the best of a column.
        domains: one column for each family of a joint training.
        only: which runs belong to it, `in full` or `stepwise` in a yaml; all where it says nothing.
        published: do the paper's numbers stand beside?
        file: stem of its files.
    """

    title: str
    rows: tuple[str, ...]
    column: str | None = None
    rivals: tuple[str, ...] = ()
    domains: bool = False
    only: Callable[[Result], bool] = _all
    published: bool = False
    file: str = "table"


def _described(name: str) -> tuple[SheetLayout, ...]:
    """Those of a table's yaml."""
    layouts: list[dict[str, Any]] = described("table", name).get("layouts", [])
    named: dict[str, Callable[[Any], Any]] = {"rows": tuple, "rivals": tuple, "only": KINDS.__getitem__}
    return tuple(
        SheetLayout(**{key: named.get(key, _same)(value) for key, value in layout.items()}) for layout in layouts
    )


def _same(value: Any) -> Any:
    return value


KINDS = {"in full": _in_full, "stepwise": _stepwise}
LAYOUTS = {
    name: _described(name)
    for name in sorted(options("table"), key=lambda name: (described("table", name)["order"], name))
    if "layouts" in described("table", name)
}
WORDS = {"setting": "", "label": "setting", "lambda_z": "lambda z", "lambda_phi": "lambda phi", "shots": "observations"}
