"""One table as it was read: its columns by name, and where each row stands, for messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metastruct.config.mistakes import closest
from metastruct.data.tables.malformed import Malformed
from metastruct.data.tables.numbers import Array, numbers

NUMBERED = "row"
LONGEST = 2**27  # rows, which a few bytes of some formats can claim to hold


@dataclass(frozen=True)
class Strange:
    """A column that is neither numbers nor words, which matters only where somebody asks for it.

    Args:
        kind: what it holds instead.
        fix: what to do.
    """

    kind: str
    fix: str = "write one number or one word a row"


@dataclass(frozen=True)
class Table:
    """Columns of one length, of numbers or of words.

    Args:
        file: for messages.
        columns: by name.
        lines: where each row stands in the file `[rows]`, or None where rows are counted from one.
        notes: what reading did to it.
    """

    file: str
    columns: Mapping[str, Array | tuple[str, ...] | Strange]
    lines: Sequence[int] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.columns:
            raise Malformed(self.file, "must have columns, got none", "write a table with a column for each component")
        lengths = {name: len(c) for name, c in self.columns.items() if not isinstance(c, Strange)}
        first = next(iter(lengths), None)
        for name, length in lengths.items():
            if first is not None and length != lengths[first]:
                problem = f"must have the {lengths[first]} rows of column {first}, got {length}"
                raise Malformed(self.file, problem, "write columns of one length", column=name)
        if not any(lengths.values()):
            raise Malformed(self.file, "must have rows below its header, got none", "write one row an instant")

    def __len__(self) -> int:
        return next(len(column) for column in self.columns.values() if not isinstance(column, Strange))

    def place(self, row: int) -> str:
        """Where a row stands, such as "line 7"."""
        return f"{NUMBERED} {row + 1}" if self.lines is None else f"line {self.lines[row]}"

    def places(self, rows: Sequence[int] | Array) -> str:
        """Where some rows stand, the first of many, such as "lines 7, 9 and 30 more"."""
        numbered = [self.place(int(row)).partition(" ") for row in rows[:6]]
        more = f" and {len(rows) - 6} more" if len(rows) > 6 else ""
        return f"{numbered[0][0]}{'s' if len(rows) > 1 else ''} {', '.join(last for *_, last in numbered)}{more}"

    def refuse(self, row: int, column: str, problem: str, fix: str) -> Malformed:
        """The error of one cell."""
        return Malformed(self.file, problem, fix, self.place(row), column)

    def column(self, name: str, role: str) -> Array | tuple[str, ...]:
        """The cells of a column.

        Args:
            role: what it is, such as "states".

        Raises:
            Malformed: there is none, or it is neither numbers nor words.
        """
        if name not in self.columns:
            raise Malformed(self.file, f"must have the column {name} of the {role}", closest(name, [*self.columns]))
        cells = self.columns[name]
        if isinstance(cells, Strange):
            raise Malformed(self.file, f"must be one number or word a row, got {cells.kind}", cells.fix, column=name)
        return cells

    def numbers(self, name: str, role: str) -> Array:
        """A column in float64, NaN where a cell says that nothing was seen; errors as of `column`, or one of a cell."""
        return numbers(self.column(name, role), lambda row, *words: self.refuse(row, name, *words))

    def words(self, name: str, role: str) -> list[str]:
        """A column of names, each without spaces around it; errors as of `column`, or an empty cell."""
        column = self.column(name, role)
        if isinstance(column, tuple):
            cells = [cell.strip() for cell in column]
        elif column.dtype.kind in "fiu":
            values = numbers(column, lambda row, *words: self.refuse(row, name, *words))
            cells = ["" if v != v else str(int(v)) if v == int(v) else str(float(v)) for v in values]
        elif column.dtype.kind in "UO":
            cells = ["" if cell is None or cell != cell else str(cell).strip() for cell in column]
        else:
            raise self.refuse(0, name, f"must be names, got {column.dtype} values", "write a word or an integer")
        if "" in cells:
            raise self.refuse(cells.index(""), name, "must be a name, got an empty cell", "write whose row it is")
        return cells
