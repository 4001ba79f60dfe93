"""What is on disk beside the tables of runs: local ranks, the cost of an adaptation, searched settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metastruct.config.facts import headings, headline_errors, metric_facts
from metastruct.paper.results import Results
from metastruct.runs.lines import write_lines
from metastruct.runs.tables import read_records

SEARCHED = "Errors on held-out training tasks; test tasks were never used to choose."
SCRIPTED = {  # tables with a script of their own: title, command
    "benchmark": ("Figures of merit", "make benchmark"),
    "adaptation_cost": ("What the adaptation to one new task costs", "python scripts/adaptation_cost.py"),
    "local_rank": ("Affine dimension and local rank of the families", "python scripts/local_rank.py"),
    "long_horizon": ("Energy over 100 periods", "python scripts/reproduce.py table=long_horizon"),
    "planted": ("Verdicts on tables whose truth is known", "python scripts/planted.py"),
    "many_bodies": ("Many bodies: errors and costs by their number", "python scripts/many_bodies.py"),
    "fields": ("Fields on grids: errors and costs by their sites", "python scripts/fields.py"),
    "search": ("Searched settings of the methods", "python scripts/search_baselines.py"),
}


def command(table: str) -> str:
    """What makes a table."""
    return SCRIPTED[table][1] if table in SCRIPTED else f"python scripts/reproduce.py table={table}"


@dataclass(frozen=True)
class Cost:
    """Of the adaptation to one new task, with one seed."""

    numbers: int
    seconds: float
    peak_bytes: float


@dataclass(frozen=True)
class Measured:
    """Everything that claims are judged by; what is not there is empty."""

    tables: Mapping[str, Results] = field(default_factory=dict)
    costs: Mapping[str, Sequence[Cost]] = field(default_factory=dict)  # one a seed
    local_ranks: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, table: str) -> Results:
        return self.tables[table]

    def has(self, name: str) -> bool:
        """Is this table on record?"""
        return bool({"adaptation_cost": self.costs, "local_rank": self.local_ranks}.get(name, self.tables.get(name)))


def costs(folder: Path) -> dict[str, list[Cost]]:
    """By method, one a seed, from the records of scripts/adaptation_cost.py."""
    by_method: dict[str, list[Cost]] = {}
    for row in _rows(folder / "records.csv"):
        cost = Cost(int(row["adapted_numbers"]), float(row["seconds"]), float(row["peak_bytes"]))
        by_method.setdefault(row["method"], []).append(cost)
    return by_method


def local_ranks(folder: Path) -> dict[str, int]:
    """The largest local rank of d f / d mu over the members of each family, from scripts/local_rank.py."""
    rows = [row for row in _rows(folder / "records.csv") if row["metric"] == "local rank"]
    return {row["system"]: int(row["value"].split(" to ")[-1]) for row in rows}


def searched(folder: Path) -> list[dict[str, str]]:
    """The chosen settings of scripts/search_baselines.py, a line a method; none where nothing was searched."""
    try:
        chosen = json.loads((folder / "chosen.json").read_text())
    except FileNotFoundError:
        return []
    choices = [choice for methods in chosen.values() for choice in methods.values()]
    names = [name for name in headline_errors() if all(name in choice for choice in choices)]
    errors = [(name, metric_facts(name)) for name in names]
    heading = f"{' / '.join(facts.short for _, facts in errors)} error ({errors[0][1].unit})"
    if len({facts.unit for _, facts in errors}) > 1:
        heading = headings(names)
    return [
        {
            "system": system,
            "method": method,
            "settings": " ".join(choice["overrides"]),
            heading: " / ".join(facts.text(choice[name], digits=1) for name, facts in errors),
            "seeds": str(len(choice["seeds"])),
        }
        for system, methods in chosen.items()
        for method, choice in methods.items()
    ]


def write_searched(folder: Path) -> None:
    """The table of what was chosen, beside the chosen.json of the folder, if there is one."""
    if lines := searched(folder):
        write_lines(folder, lines, SCRIPTED["search"][0], SEARCHED)


def _rows(path: Path) -> list[dict[str, str]]:
    return read_records([path]) if path.exists() else []
