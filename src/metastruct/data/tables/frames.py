"""Frames of pandas, and mappings of columns, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metastruct.data.outside import shortly
from metastruct.data.tables.malformed import Malformed
from metastruct.data.tables.table import Strange, Table
from metastruct.data.trajectory import Array


def framed(frame: Any) -> Table:
    """A frame of pandas, or a mapping of columns, as a table."""
    if not hasattr(frame, "columns") and not isinstance(frame, Mapping):
        raise ValueError(f"frame must be one of pandas or a mapping of columns, got {shortly(frame)}")
    names = [*frame.columns] if hasattr(frame, "columns") else [*frame]
    for name in names:
        if not isinstance(name, str):
            raise Malformed("frame", f"must have words as names of columns, got {shortly(name)}", "rename them")
        if names.count(name) > 1:
            raise Malformed("frame", "is there twice", "keep one, or rename it", column=name)
    return Table("frame", {name: _cells(frame[name]) for name in names})


def _cells(column: Any) -> Array | Strange:
    """A column, whatever pandas keeps it as."""
    kind = getattr(getattr(column, "dtype", None), "kind", None)
    if hasattr(column, "to_numpy") and kind in ("i", "u", "f") and not isinstance(column.dtype, np.dtype):
        array = np.asarray(column.to_numpy(dtype=float, na_value=np.nan) if column.hasnans else column.to_numpy())
    else:
        try:
            array = np.asarray(column)
        except (TypeError, ValueError, RuntimeError) as error:
            return Strange(f"something else ({shortly(error)})")
    if array.ndim != 1:
        return Strange(f"the shape {list(array.shape)}")
    if array.dtype.kind == "O":
        array = np.array([None if type(cell).__name__ == "NAType" else cell for cell in array], dtype=object)
        for cell in array:
            if not isinstance(cell, str | float | int | np.number | None) or isinstance(cell, bool):
                return Strange(f"a {type(cell).__name__}")
    return array
