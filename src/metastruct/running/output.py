"""Showing a result fails no work: a closed pipe, a full disk behind it or letters that a terminal lacks end nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any


class Patient:
    """A stream that goes on in silence once it cannot be written to.

    Args:
        stream: of text.
    """

    def __init__(self, stream: Any):
        self.stream = stream
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="replace")

    def write(self, text: str) -> int:
        """Write as much as the stream takes; says that it took all."""
        try:
            self.stream.write(text)
        except OSError:
            self._end()
        return len(text)

    def flush(self) -> None:
        """Flush what is written."""
        try:
            self.stream.flush()
        except OSError:
            self._end()

    def _end(self) -> None:
        """Let what is left, and what comes, go nowhere."""
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def patient() -> Iterator[None]:
    """Let nothing that is printed fail, and no picture need a window, until the end of the block."""
    os.environ["MPLBACKEND"] = "agg"  # perhaps that of a notebook, whose package is not here
    if sys.stdout is None:  # it was closed
        yield
        return
    stream: Any = Patient(sys.stdout)
    with redirect_stdout(stream):
        try:
            yield
        finally:
            stream.flush()
