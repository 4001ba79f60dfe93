"""How what a step costs grows with the size of a system, from the cells of a study."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

FIGURES = ("seconds of a step", "MiB of a step")
BAR = "1.1"


def slopes(rows: list[dict[str, Any]], systems: Iterable[str], size: str) -> tuple[list[str], list[list[str]]]:
    """Heads and lines of a table: numbers by size, and the slope of their logarithms by least squares.

    Args:
        rows: with `system`, `size`, `figure` and `value`.
        size: what is counted, for people.
    """
    lines = []
    for system in systems:
        for figure in FIGURES:
            values = {row["size"]: row["value"] for row in rows if (row["system"], row["figure"]) == (system, figure)}
            logs = np.log(np.array([pair for pair in sorted(values.items()) if pair[1] > 0], dtype=float))
            slope = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0]) if len(logs) > 1 else float("nan")
            numbers = ", ".join(f"{n}: {value:.3g}" for n, value in sorted(values.items()))
            lines.append([system, figure, numbers, f"{slope:.2f}", BAR])
    return ["system", "figure", f"by {size}", "slope", "bar"], lines
