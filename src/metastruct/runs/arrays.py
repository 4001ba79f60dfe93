"""Named arrays of numpy in one file, read as what a stranger may have written: no objects, and not without end."""

from __future__ import annotations

import io
import zipfile

import numpy as np

MOST = 2**31  # bytes that a file may unpack to; an evaluation has some megabytes, a simulation some tens


def unpacks_to(content: bytes) -> int:
    """How many bytes the parts of a zip file have together; 0 where it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            return sum(part.file_size for part in parts.infolist())
    except Exception:  # whatever Python makes of the bytes of a stranger
        return 0


def read_arrays(content: bytes) -> dict[str, np.ndarray] | None:
    """The arrays of a file of `np.savez`; None where it holds something else."""
    if not 0 < unpacks_to(content) <= MOST:
        return None
    try:
        with np.load(io.BytesIO(content)) as stored:
            arrays = dict(stored)
    except Exception:  # whatever numpy makes of them
        return None
    return arrays if all(isinstance(array, np.ndarray) for array in arrays.values()) else None
