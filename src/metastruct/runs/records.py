"""Records: one row a value, the source of every table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from metastruct.runs.files import write_atomically


@dataclass(frozen=True)
class Record:
    """One measured value of one task; `component` is empty for a metric of the whole state."""

    experiment: str
    run: str
    system: str
    domain: str
    method: str
    learner: str
    dynamics: str
    seed: int
    task: int
    shots: int
    steps: int
    adaptation: str
    start: str
    component: str
    metric: str
    value: float


COLUMNS = tuple(field.name for field in fields(Record))


def inert(line: Mapping[str, Any]) -> dict[str, Any]:
    """The same cells, but that a spreadsheet takes none of them for a formula: an apostrophe makes it text."""
    return {name: f"'{cell}" if _formula(cell) else cell for name, cell in line.items()}


def _formula(cell: Any) -> bool:
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) or cell == "-":
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write the rows atomically; values keep every digit. Returns their number."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    count = 0
    for record in records:
        writer.writerow(inert(asdict(record) | {"value": repr(float(record.value))}))
        count += 1
    write_atomically(path, text.getvalue())
    return count
