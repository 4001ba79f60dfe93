"""Tables from records: every number in a table is a row on disk."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metastruct.runs.records import inert

Row = dict[str, str]
PORTRAIT = "phase_portrait.png"  # of a run, in the folder of a table that asks for it


def read_records(paths: Iterable[Path]) -> list[Row]:
    """The rows of several records files, laid end to end.

    Raises:
        ValueError: one of them is damaged.
    """
    rows: list[Row] = []
    for path in paths:
        try:
            with open(path, newline="") as file:
                several = [*csv.DictReader(file)]
        except (csv.Error, UnicodeDecodeError) as error:
            raise _damaged(path, error) from None
        for number, row in enumerate(several, 1):
            if None in row or None in row.values():
                raise _damaged(path, f"row {number} has more or fewer cells than the header")
        rows += several
    return rows


def _damaged(path: Path, problem: object) -> ValueError:
    return ValueError(f"{path} must be a table as CSV, got a damaged one ({problem}); remove it, and it is made again")


def seed_means(rows: Iterable[Row], metric: str) -> dict[str, float]:
    """Mean over tasks of a metric of the whole state, for each seed."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if row["metric"] == metric and not row["component"]:
            values.setdefault(row["seed"], []).append(float(row["value"]))
    return {seed: statistics.mean(numbers) for seed, numbers in sorted(values.items())}


def as_csv(lines: Sequence[Mapping[str, Any]]) -> str:
    """The lines as CSV with every digit and no formula, empty where one lacks what others have."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*dict.fromkeys(key for line in lines for key in line)])
    writer.writeheader()
    writer.writerows(map(inert, lines))
    return text.getvalue()
