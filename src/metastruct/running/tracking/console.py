"""What a person sees while a run goes on; light, for what is said of a mistake or a finished run is said at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.markup import escape


def new_console() -> Console:
    """A console that shows words and paths as they are; in a notebook as text, which can be silenced."""
    return Console(highlight=False, force_jupyter=False, emoji=False)


console = new_console()


def note(message: str) -> None:
    """Say something in passing."""
    console.print(message, style="dim", markup=False, soft_wrap=True)


def show(columns: Iterable[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """Print a table of words as they are; long ones are folded."""
    from rich.table import Table

    table = Table(title=None if title is None else escape(title), title_justify="left")
    for column in columns:
        table.add_column(escape(column), overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    new_console().print(table)


def remark(lines: Iterable[str]) -> None:
    """Say what belongs to a table, below it."""
    for line in lines:
        new_console().print(f"- {line}", soft_wrap=True, markup=False)


@contextmanager
def working(message: str) -> Iterator[None]:
    """Say what takes a few seconds, with a spinner where there is a terminal."""
    note(message)
    with console.status(message) if console.is_terminal else nullcontext():
        yield
