"""What a person sees while a run goes on; light, for what is said of a mistake or a finished run is said at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.markup import escape

from metastruct.config.stages import Listener, heard, is_heard

PLAIN_EVERY, MOVING_EVERY = 10.0, 0.1  # seconds between two lines where no terminal shows a bar, and where one does


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
    """Say what takes more than a moment, and how far it is: on a terminal in one line that moves, else now and then."""
    note(message)
    if is_heard():  # a part of something that shows how far it is
        yield
        return
    with _moving_line() if console.is_terminal else nullcontext(_plain_line) as line, heard(_now_and_then(line)):
        yield


@contextmanager
def _moving_line() -> Iterator[Callable[[str], None]]:
    """A line with a spinner and the time that has passed, which goes away; yields what changes its words."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=new_console(), transient=True) as progress:
        row = progress.add_task("")
        yield lambda words: progress.update(row, description=words)


def _plain_line(words: str) -> None:
    note(f"  {words}")


def _now_and_then(line: Callable[[str], None]) -> Listener:
    """What shows every so many seconds how far it is."""
    pause, spoken = MOVING_EVERY if line is not _plain_line else PLAIN_EVERY, time.monotonic()

    def listener(stage: str, count: int, most: int) -> None:
        nonlocal spoken
        if time.monotonic() - spoken > pause:
            spoken = time.monotonic()
            line(f"{stage} {count} of {most}")

    return listener
