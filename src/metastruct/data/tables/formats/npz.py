"""NPZ: one-dimensional arrays of numpy by name, none of them pickled."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from metastruct.data.tables.malformed import Malformed
from metastruct.data.tables.table import Table

SUFFIXES = (".npz",)
MAGIC = b"PK\x03\x04"
LARGEST = 2**33  # bytes of all arrays, which a small file can claim to hold


def read(file: str, content: bytes) -> Table:
    """The table of the bytes of a file; nothing is unpickled. Errors as of `formats.text.read`."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError):
        raise Malformed(file, "must be a whole NPZ file, got a damaged one", "write it again by numpy.savez") from None
    names = [entry.filename for entry in entries]
    for first, second in pairwise(sorted(names)):
        if first == second:
            raise Malformed(file, "is there twice", "keep one", column=first.removesuffix(".npy"))
    for name in names:
        if not name.endswith(".npy"):
            raise Malformed(file, f"must hold arrays alone, got {name}", "write it by numpy.savez")
    if (size := sum(entry.file_size for entry in entries)) > LARGEST:
        raise Malformed(file, f"must hold at most {LARGEST:,} bytes, got {size:,}", "split the file")
    return Table(file, {name.removesuffix(".npy"): _column(file, content, name.removesuffix(".npy")) for name in names})


def written(columns: Mapping[str, np.ndarray]) -> bytes:
    """A file that `read` reads as these columns; not compressed, so that equal columns are equal bytes everywhere."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, column in columns.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.ascontiguousarray(column), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), entry.getvalue())
    return buffer.getvalue()


def _column(file: str, content: bytes, name: str) -> np.ndarray:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            array = np.asarray(arrays[name])
    except ValueError as error:
        if "pickle" in str(error) or "Object arrays" in str(error):
            fix = "write plain numbers, or words of dtype U"
            raise Malformed(file, "must be numbers or words, got pickled objects", fix, column=name) from None
        raise Malformed(file, "must be an array, got something else", "write it again", column=name) from None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, MemoryError, SyntaxError, TypeError):
        raise Malformed(file, "must be an array, got a damaged one", "write it again", column=name) from None
    if array.ndim != 1 or array.dtype.names:
        problem = "records" if array.dtype.names else f"the shape {list(array.shape)}"
        fix = "write every component as an array of its own"
        raise Malformed(file, f"must be one number or word a row, got {problem}", fix, column=name)
    return array
