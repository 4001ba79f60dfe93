"""HDF5, read by h5py: one-dimensional datasets at the root, none of which leads to another file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from metastruct.data.tables.malformed import Malformed
from metastruct.data.tables.table import LONGEST, Strange, Table

SUFFIXES = (".h5", ".hdf5", ".hdf")
MAGIC = b"\x89HDF\r\n\x1a\n"
FLAT = "keep every column as a one-dimensional dataset at the root"


def read(file: str, content: bytes) -> Table:
    """The table of the bytes of a file; errors as of `formats.text.read`."""
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as root:
            return Table(file, {name: _column(file, root, name) for name in root})
    except (OSError, RuntimeError, KeyError, TypeError, MemoryError, UnicodeDecodeError):
        raise Malformed(file, "must be a whole HDF5 file, got a damaged one", "write it again") from None


def _column(file: str, root: Any, name: str) -> np.ndarray | Strange:
    import h5py

    if not isinstance(root.get(name, getlink=True), h5py.HardLink):
        raise Malformed(file, "must hold its data, got a link", "write the data into the file", column=name)
    part = root[name]
    if isinstance(part, h5py.Group):
        raise Malformed(file, f"must be a column, got a group of {len(part)}", FLAT, column=name)
    if not isinstance(part, h5py.Dataset):
        return Strange("a type")
    if part.external or part.is_virtual:
        raise Malformed(
            file, "must hold its data, got those of another file", "write the data into the file", None, name
        )
    if part.ndim != 1 or part.dtype.names:
        problem = f"{part.ndim} axes" if part.ndim != 1 else f"records of {', '.join(part.dtype.names)}"
        raise Malformed(file, f"must be one number or word a row, got {problem}", FLAT, column=name)
    if part.size > LONGEST:
        raise Malformed(file, f"must have at most {LONGEST:,} rows, got {part.size:,}", "split the file", column=name)
    if h5py.check_string_dtype(part.dtype) is not None:
        return np.array(part.asstr()[()], dtype=object)
    return Strange("references or lists") if part.dtype.kind == "O" else np.asarray(part[()])
