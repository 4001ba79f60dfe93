"""Parquet, read by pyarrow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from metastruct.data.tables.malformed import Malformed
from metastruct.data.tables.table import LONGEST, Strange, Table

SUFFIXES = (".parquet", ".pq")
MAGIC = b"PAR1"
DATES = Strange("dates", "write instants as numbers, such as seconds since the first")


def read(file: str, content: bytes) -> Table:
    """The table of the bytes of a file; errors as of `formats.text.read`."""
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        source = parquet.ParquetFile(io.BytesIO(content))
        names = source.schema_arrow.names
        if doubled := next((name for name in names if names.count(name) > 1), None):
            raise Malformed(file, "is there twice", "keep one, or rename it", column=doubled)
        if (rows := source.metadata.num_rows) > LONGEST:
            raise Malformed(file, f"must have at most {LONGEST:,} rows, got {rows:,}", "split the file")
        table = source.read()
    except (arrow.ArrowException, OSError, MemoryError, ValueError) as error:
        if isinstance(error, Malformed):
            raise
        raise Malformed(file, "must be a whole Parquet file, got a damaged one", "write it again") from None
    return Table(file, {name: _cells(table.column(name)) for name in names})


def _cells(column: Any) -> np.ndarray | Strange:
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        kind, column = kind.value_type, column.cast(kind.value_type)
    if types.is_floating(kind) or types.is_integer(kind):
        if types.is_integer(kind) and column.null_count:  # else large integers would lose digits in silence
            column = column.cast("float64")
        return np.asarray(column.to_numpy())
    if types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind):
        return np.array([cell or "" for cell in column.to_pylist()], dtype=object)
    if types.is_temporal(kind):
        return DATES
    return Strange(f"the type {kind}")
