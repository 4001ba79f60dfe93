"""Tables from records: every number in a table is a row on disk."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metastruct.reports.published import NOTE, beside

Row = dict[str, str]


def read_records(paths: Iterable[Path]) -> list[Row]:
    """The rows of several records files, laid end to end."""
    rows: list[Row] = []
    for path in paths:
        with open(path, newline="") as file:
            rows += csv.DictReader(file)
    return rows


def seed_means(rows: Iterable[Row], metric: str) -> dict[str, float]:
    """Mean over tasks of a metric of the whole state, for each seed."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if row["metric"] == metric and not row["component"]:
            values.setdefault(row["seed"], []).append(float(row["value"]))
    return {seed: statistics.mean(numbers) for seed, numbers in sorted(values.items())}


def error_table(settings: dict[str, list[Row]]) -> str:
    """Markdown table of field and trajectory error (x 1e-2), mean and spread over seeds, published numbers beside.

    Args:
        settings: the rows of each setting, by the label that the table gives it.
    """
    lines = ["| setting | seeds | field error | trajectory error | published |", "|---|---|---|---|---|"]
    for label, rows in settings.items():
        field, trajectory = (seed_means(rows, metric) for metric in ("field_error", "trajectory_error"))
        published = beside(rows[0]["system"], rows[0]["method"], rows[0]["dynamics"]) or "-"
        lines.append(f"| {label} | {len(field)} | {_spread(field)} | {_spread(trajectory)} | {published} |")
    return "\n".join(
        [*lines, "", f"Errors x 1e-2, mean ± deviation over seeds of the mean over test tasks; {NOTE}.", ""]
    )


def _spread(means: dict[str, float]) -> str:
    values = [100 * value for value in means.values()]
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}"


def as_csv(lines: Sequence[Mapping[str, Any]]) -> str:
    """The lines, which share their keys, as CSV with every digit."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*lines[0]])
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def as_markdown(lines: Sequence[Mapping[str, Any]], note: str = "") -> str:
    """The lines as a Markdown table, numbers to two digits, with a note below."""

    def shown(value: Any) -> str:
        if not isinstance(value, float):
            return str(value)
        return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"

    head = ["| " + " | ".join(lines[0]) + " |", "|---" * len(lines[0]) + "|"]
    body = ["| " + " | ".join(map(shown, line.values())) + " |" for line in lines]
    return "\n".join([*head, *body, *(["", note] if note else []), ""])
