"""What a person sees while a run goes on; light, for what is said of a mistake or a finished run is said at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console


def new_console() -> Console:
    """A console that shows words and paths as they are; in a notebook as text, which can be silenced."""
    return Console(highlight=False, force_jupyter=False, emoji=False)


console = new_console()


def note(message: str) -> None:
    """Say something in passing."""
    console.print(message, style="dim", markup=False, soft_wrap=True)


@contextmanager
def working(message: str) -> Iterator[None]:
    """Say what takes a few seconds, with a spinner where there is a terminal."""
    note(message)
    with console.status(message) if console.is_terminal else nullcontext():
        yield
