"""How objects show themselves: a title and a few rows, as text and, in notebooks, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Rows = Sequence[Sequence[str]]
FLUSH = "text-align: left; padding-right: 1em"


def text(title: str, rows: Rows) -> str:
    """The title and a line a row, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join([title, *(f"  {line}" for line in lines)])


def html(title: str, rows: Rows) -> str:
    """The same as a table."""
    body = "".join(
        "<tr>" + "".join(f'<td style="{FLUSH}">{escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f'<table><caption style="{FLUSH}">{escape(title)}</caption><tbody>{body}</tbody></table>'


class Shown:
    """An object with a title and rows."""

    def shown(self) -> tuple[str, Rows]:
        """Its title, and its rows of as many cells each."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return text(*self.shown())

    def _repr_html_(self) -> str:
        return html(*self.shown())
