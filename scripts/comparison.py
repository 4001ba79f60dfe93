"""Do two folders of runs hold the same results? `scripts/same_results.py` makes them.

All of the records but the key of the run must be equal, and all numbers of the model files but the seconds. A parameter
that has another name changes no result.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PASSING = ("seconds",)  # of a model file: what no two runs share


@dataclass
class Comparison:
    """Numbers compared, the largest relative difference among them and where, and what else differs.

    A note is of what changes no result.
    """

    numbers: int = 0
    largest: float = 0.0
    where: str = ""
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, where: str, before: float, after: float, scale: float | None = None) -> None:
        """Compare two numbers; not a number equals itself."""
        self.numbers += 1
        if before == after or (math.isnan(before) and math.isnan(after)):
            return
        size = max(abs(before), abs(after)) if scale is None else scale
        relative = abs(before - after) / size if math.isfinite(before) and math.isfinite(after) else math.inf
        if not relative <= self.largest:
            self.largest, self.where = relative, where

    def holds(self, tolerance: float) -> bool:
        return not self.differences and self.largest <= tolerance


def compared_records(before: Path, after: Path) -> Comparison:
    """Two records.csv: columns, rows and their order, and every cell but the key of the run."""
    comparison = Comparison()
    old, new = ([*csv.DictReader(path.read_text().splitlines())] for path in (before, after))
    columns = [[name for name in rows[0] if name != "run"] if rows else [] for rows in (old, new)]
    if columns[0] != columns[1]:
        comparison.differences.append(f"columns {columns[0]} became {columns[1]}")
    if not old or len(old) != len(new):
        comparison.differences.append(f"{len(old)} rows became {len(new)}")
    for number, (first, second) in enumerate(zip(old, new, strict=False), start=2):
        words = [{name: text for name, text in row.items() if name not in ("run", "value")} for row in (first, second)]
        if words[0] != words[1]:
            comparison.differences.append(f"line {number}: {words[0]} became {words[1]}")
            break
        where = " ".join(filter(None, (first["metric"], first["component"], f"of task {first['task']}")))
        comparison.add(where, float(first["value"]), float(second["value"]))
        if first["value"] != second["value"] and float(first["value"]) == float(second["value"]):
            comparison.differences.append(f"line {number}: {first['value']} is written {second['value']}")
    return comparison


def numbers_of(content: Any, name: str = "") -> Iterator[tuple[str, list[float]]]:
    """The numbers of a model file by their names: tensors and lists flat, in float64, which holds every float32."""
    import torch

    if isinstance(content, Mapping):
        for key, value in content.items():
            if key not in PASSING:
                yield from numbers_of(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, list | tuple) and any(isinstance(one, str) for one in content):
        return  # names are no numbers
    elif isinstance(content, int | float | list | tuple | torch.Tensor):
        tensor = content if isinstance(content, torch.Tensor) else torch.tensor(content, dtype=torch.float64)
        yield name, tensor.double().flatten().tolist()


def compared_models(before: Path, after: Path) -> Comparison:
    """Two model files, where the names in them agree: parameters, codes, history; differences relative to a tensor."""
    import torch

    comparison = Comparison()
    old, new = (dict(numbers_of(torch.load(path, map_location="cpu", weights_only=True))) for path in (before, after))
    for name in old.keys() & new.keys():
        if len(old[name]) != len(new[name]):
            comparison.differences.append(f"{name} had {len(old[name])} numbers and has {len(new[name])}")
            continue
        scale = max((abs(value) for value in [*old[name], *new[name]] if math.isfinite(value)), default=0.0)
        for first, second in zip(old[name], new[name], strict=True):
            comparison.add(name, first, second, scale)
    words = [f"-{name}" for name in sorted(old.keys() - new)] + [f"+{name}" for name in sorted(new.keys() - old)]
    comparison.notes += [f"names in the model: {' '.join(words)}"] if words else []
    return comparison


def runs_of(folder: Path) -> list[Path]:
    """The run folders that a named run left, one a seed."""
    return sorted(path.parent for path in folder.glob("*/metrics.json"))


def compare(name: str, before: Path, after: Path, tolerance: float) -> bool:
    """Compare what a named run left on either side, in a line and, for what is not equal, a line each; does it hold?"""
    pairs = [*zip(runs_of(before), runs_of(after), strict=False)]
    troubles = [f"it left no result, see {side / 'log.txt'}" for side in (before, after) if not runs_of(side)]
    if not troubles and len(runs_of(before)) != len(runs_of(after)):
        troubles.append(f"{len(runs_of(before))} seeds became {len(runs_of(after))}")
    records = [compared_records(old / "records.csv", new / "records.csv") for old, new in pairs]
    models = [compared_models(old / "model.ckpt", new / "model.ckpt") for old, new in pairs]
    troubles += [trouble for comparison in (*records, *models) for trouble in comparison.differences]
    largest = max([*records, *models], key=lambda comparison: comparison.largest, default=Comparison())
    holds = not troubles and all(comparison.holds(tolerance) for comparison in (*records, *models))
    equal = ["equal" if not troubles and all(c.holds(0) for c in part) else "DIFFER" for part in (records, models)]
    counts = [sum(comparison.numbers for comparison in part) for part in (records, models)]
    print(
        f"{name:<24} {counts[0]:>7} {equal[0]:<7} {counts[1]:>7} {equal[1]:<7} {largest.largest:<8.1e} {largest.where}"
    )
    for note in (*troubles[:5], *(note for comparison in models for note in comparison.notes)):
        print(f"    {note}")
    return holds
