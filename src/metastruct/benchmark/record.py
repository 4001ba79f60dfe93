"""The figures of merit on record, outputs/reference/benchmark/: one row a figure, as it was last measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metastruct.benchmark.figures import Figure
from metastruct.benchmark.timing import OUTPUTS
from metastruct.runs.files import write_atomically
from metastruct.runs.lines import write_lines
from metastruct.runs.provenance import here, sign
from metastruct.runs.tables import as_csv, read_records

FOLDER = OUTPUTS / "reference" / "benchmark"
TITLE = "Figures of merit"
NOTE = "Ratios are medians of interleaved timings in one process, on one thread; machine and commit are in records.csv."


def keep(figure: Figure, value: float, words: Sequence[str], folder: Path = FOLDER) -> None:
    """Write the value of a figure in the place of an earlier one, and the table of all."""
    path = folder / "records.csv"
    rows = {row["figure"]: row for row in read_records([path])} if path.exists() else {}
    now = here()
    rows[figure.name] = {
        "figure": figure.name,
        "value": repr(value),
        "unit": figure.unit,
        "bar": figure.limit,
        "holds": str(figure.holds(value)),
        "commit": now["commit"],
        "date": now["date"],
        "machine": now["machine"],
    }
    write_atomically(path, as_csv([*rows.values()]))
    write_lines(folder, [shown(row) for row in rows.values()], TITLE, NOTE)
    sign(folder, words)


def shown(row: dict[str, str]) -> dict[str, str]:
    """A line of the table."""
    verdict = "-" if row["bar"] == "no bar" else "yes" if row["holds"] == "True" else "no"
    measured = f"{float(row['value']):.2f} {row['unit']}".strip()
    return {"figure": row["figure"], "measured": measured, "bar": row["bar"], "reached": verdict}
