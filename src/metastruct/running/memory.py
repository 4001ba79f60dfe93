"""How a process that runs one command keeps its memory: it hands nothing back, and searches it seldom."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NEW = 50_000  # objects between two searches for garbage
KEPT = 2**28  # bytes that are free and not handed back to the system
LARGEST = 2**25  # of a tensor whose memory is taken from these, in bytes; glibc allows no more
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # glibc's names of the two settings


@contextmanager
def kept_memory() -> Iterator[None]:
    """Search for garbage seldom until the end of the block, and keep memory that is free.

    To import torch and what stands on it makes a million objects that all stay. An iteration of Gauss-Newton frees a
    hundred megabytes and takes them again: each page that comes from the system anew is a fault. Where the C library
    is another than glibc it does as it likes.
    """
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(TRIM_THRESHOLD, KEPT)
        library.mallopt(MMAP_THRESHOLD, LARGEST)
    before = gc.get_threshold()
    gc.set_threshold(NEW, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
