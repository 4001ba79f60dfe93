"""What a person sees while a run goes on; light, for what is said of a mistake or a finished run is said at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console

# In a notebook text, which can be silenced, and not its HTML; paths as they are.
console = Console(highlight=False, force_jupyter=False, emoji=False)


def note(message: str) -> None:
    """Say something in passing."""
    console.print(message, style="dim", markup=False, soft_wrap=True)


@contextmanager
def working(message: str) -> Iterator[None]:
    """Say what takes a few seconds, with a spinner where there is a terminal."""
    note(message)
    with console.status(message) if console.is_terminal else nullcontext():
        yield
