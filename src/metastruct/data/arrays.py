"""Trajectories that come as arrays, one below another as in a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from metastruct.data.outside import floats, several, shortly
from metastruct.data.trajectory import PARTS, Array


def long(members: Mapping[str, Iterable[Any]]) -> tuple[dict[str, int], dict[str, Any]]:
    """Widths of the parts of trajectories, and the parts one below another."""
    columns: dict[str, list[Any]] = {"member": [], "trajectory": []}
    widths: dict[str, int] = {}
    for name, trajectories in members.items():
        every = several(trajectories, f"member {name}", "a list of trajectories")
        for number, one in enumerate(every):
            owner = f"trajectory {number} of member {name}"
            parts = parts_of(one, owner)
            if columns.get("times") and {*parts} != {*widths}:
                raise ValueError(f"{owner} must have {', '.join(widths)} as the first, got {', '.join(parts)}")
            count = parts["times"].shape[0] if parts["times"].ndim else -1
            for part, values in parts.items():
                if values.ndim != (1 if part == "times" else 2) or len(values) != count:
                    shape = "[instants]" if part == "times" else f"[{count}, components]"
                    raise ValueError(f"{part} of {owner} must have the shape {shape}, got {list(values.shape)}")
                width = 1 if part == "times" else values.shape[1]
                if widths.setdefault(part, width) != width:
                    raise ValueError(f"{part} of {owner} must have {widths[part]} components, got {width}")
                columns.setdefault(part, []).append(values)
            columns["member"].append(np.full(count, str(name)))
            columns["trajectory"].append(np.full(count, str(number)))
    if "times" not in columns:
        raise ValueError("from_arrays needs the trajectories of at least one member, got none")
    return widths, {part: np.concatenate(values) for part, values in columns.items()}


def parts_of(one: Any, owner: str) -> dict[str, Array]:
    """The arrays of one trajectory by their part: `times` `[instants]`, others `[instants, components]`."""
    pair = one if isinstance(one, Mapping) else several(one, owner, "(t, x) or a mapping")
    parts = dict(pair) if isinstance(pair, Mapping) else dict(zip(("times", "states"), pair, strict=False))
    there = {part for part, values in parts.items() if values is not None}
    if not {"times", "states"} <= there <= {*PARTS} or (not isinstance(one, Mapping) and len(pair) != 2):
        raise ValueError(f"{owner} must be (t, x) or a mapping of {', '.join(PARTS)}, got {[*parts]}")
    return {part: floats(parts[part], f"{part} of {owner} must be numbers") for part in PARTS if part in there}


def labelled(labels: Any, count: int) -> dict[str, Array]:
    """Labels by name, a number for each of so many members."""
    expected = f"labels must have a number for each of {count} members"
    if not isinstance(labels, Mapping):
        raise ValueError(f"{expected}, got {shortly(labels)}")
    columns = {name: floats(values, expected) for name, values in labels.items()}
    if strange := [values.size for values in columns.values() if values.shape != (count,)]:
        raise ValueError(f"{expected}, got {strange[0]}")
    return columns


def named_or(names: Sequence[str] | None, letter: str, width: int, part: str) -> tuple[str, ...]:
    """The names of so many components, or a letter and a number each."""
    if names is None:
        return tuple(f"{letter}{number}" for number in range(width))
    if isinstance(names, str) or len(names) != width:
        raise ValueError(f"{part} must name the {width} components that there are, got {shortly(names)}")
    return tuple(names)
