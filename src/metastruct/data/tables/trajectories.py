"""From the rows of a table to trajectories: sorted, without doubled rows, split where something was not seen.

Nothing is left out in silence: what is done to which rows is noted, and what cannot be done without a guess is refused.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np

from metastruct.data.tables.layout import Layout
from metastruct.data.tables.malformed import Malformed, said
from metastruct.data.tables.numbers import Array
from metastruct.data.tables.table import Table
from metastruct.data.trajectory import Member, Trajectory

PIECE = " part "  # between the name of a trajectory and the number of what gaps left of it


def of_pieces(name: str) -> str:
    """The trajectory that a piece is of."""
    return name.partition(PIECE)[0]


@dataclass
class Seen:
    """What tables hold of one member.

    Args:
        file: that it is in.
    """

    file: str
    trajectories: dict[str, Trajectory] = field(default_factory=dict)
    labels: Array | None = None

    def member(self, name: str) -> Member:
        """With its label, where there is one."""
        return Member(tuple(self.trajectories.values()), self.labels, name)


def seen_in(tables: Sequence[Table], layout: Layout) -> tuple[dict[str, Seen], list[str]]:
    """The members of tables by name, and notes on what was done to which rows.

    Raises:
        Malformed: names file, line, column and fix.
    """
    members: dict[str, Seen] = {}
    notes: list[str] = []
    derivatives = {table.file: [name for name in layout.derivatives if name in table.columns] for table in tables}
    for table in tables:
        for name in layout.states:
            table.column(name, "states")
        notes += table.notes
        if (present := derivatives[table.file]) and len(present) < len(layout.derivatives):
            lacking = next(name for name in layout.derivatives if name not in present)
            fix = "give derivatives of all states, or of none"
            raise Malformed(table.file, f"must have a column {lacking} beside {present[0]}", fix)
        if len(present) != len(derivatives[tables[0].file]):
            fix = "give derivatives in all files, or in none"
            raise Malformed(table.file, f"must have the same columns as {tables[0].file}, got other derivatives", fix)
        if unread := [name for name in table.columns if name not in layout.named]:
            notes.append(f"{table.file}: columns that are not read: {', '.join(unread)}")
        for name, one in _Rows(table, layout, bool(present), notes).members():
            if name in members:
                fix = "give members different names, or put its rows into one file"
                raise Malformed(table.file, f"must hold other members, got {name} as {members[name].file}", fix)
            members[name] = one
    return members, notes


class _Rows:
    """The rows of one table, column by column."""

    def __init__(self, table: Table, layout: Layout, derivatives: bool, notes: list[str]):
        self.table, self.layout, self.notes = table, layout, notes
        self.times = table.numbers(layout.time, "time")
        if len(lost := np.flatnonzero(np.isnan(self.times))):
            problem = "must be the instant of the row, got nothing"
            raise table.refuse(int(lost[0]), layout.time, problem, "write it, or leave the row out")
        names = {"states": layout.states, "inputs": layout.inputs}
        names |= {"derivatives": layout.derivatives} if derivatives else {}
        self.parts = {
            part: np.stack([table.numbers(name, part) for name in columns], -1)
            for part, columns in names.items()
            if columns
        }
        self.complete = ~np.isnan(np.concatenate([*self.parts.values()], -1)).any(-1)
        self.named_trajectories = layout.trajectory in table.columns

    def members(self) -> Iterator[tuple[str, Seen]]:
        table, layout = self.table, self.layout
        member_names = [PurePath(table.file).stem] * len(table)
        if layout.member in table.columns:
            member_names = table.words(layout.member, "members")
        which = ["1"] * len(table)
        if self.named_trajectories:
            which = table.words(layout.trajectory, "trajectories")
        labels = [table.numbers(name, "labels") for name in layout.labels]
        groups: dict[str, dict[str, list[int]]] = {}
        for row, (member, trajectory) in enumerate(zip(member_names, which, strict=True)):
            groups.setdefault(member, {}).setdefault(trajectory, []).append(row)
        self._check_names([*groups], layout.member)
        for member, rows_of in groups.items():
            self._check_names([*rows_of], layout.trajectory)
            every = np.sort(np.concatenate([*rows_of.values()]))
            one = Seen(table.file, labels=self._labels(labels, every, member) if labels else None)
            for name, rows in rows_of.items():
                one.trajectories |= self._pieces(np.array(rows), name, f"member {member}, trajectory {name}")
            if not one.trajectories:
                fix = f"fill in {', '.join(layout.states)}, or leave the member out"
                raise Malformed(table.file, f"must have a row without gaps of member {member}, got none", fix)
            yield member, one

    def _check_names(self, names: list[str], column: str) -> None:
        """Could two names be meant for one?"""
        alike: dict[str, str] = {}
        for name in names:
            plain = unicodedata.normalize("NFKC", name).casefold()
            with suppress(ValueError):
                plain = repr(float(plain))
            if plain in alike:
                problem = f"must tell names apart, got {said(alike[plain])} and {said(name)}"
                raise Malformed(self.table.file, problem, "write one name in one way", column=column)
            alike[plain] = name

    def _labels(self, columns: Sequence[Array], rows: Array, member: str) -> Array:
        labels = []
        for name, values in zip(self.layout.labels, columns, strict=True):
            finite = rows[~np.isnan(values[rows])]
            if not len(finite):
                problem = f"must be a number in a row of member {member} at least, got none"
                raise self.table.refuse(int(rows[0]), name, problem, "write it, or leave the label out")
            if len(other := finite[values[finite] != values[finite[0]]]):
                problem = f"must be the same in all rows of member {member}, got {values[finite[0]]:g} at "
                problem += f"{self.table.place(int(finite[0]))} and {values[other[0]]:g}"
                raise self.table.refuse(int(other[0]), name, problem, "a label that changes is an input")
            labels.append(values[finite[0]])
        return np.array(labels)

    def _pieces(self, rows: Array, name: str, owner: str) -> dict[str, Trajectory]:
        """The trajectories that the rows of one trajectory make."""
        rows = self._without_doubles(self._sorted(rows, owner), owner)
        complete = self.complete[rows]
        if len(lost := rows[~complete]):
            rest = "and split it" if complete.any() else "and nothing of it is left"
            self.notes.append(f"{self.table.file}: {len(lost)} rows of {owner} have gaps {rest}: {self._places(lost)}")
        starts = np.flatnonzero(np.diff(np.concatenate([[False], complete]).astype(int)) == 1)
        ends = np.flatnonzero(np.diff(np.concatenate([complete, [False]]).astype(int)) == -1) + 1
        several, pieces = len(starts) > 1, {}
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1):
            part = rows[start:end]
            if len(part) == 1:
                self.notes.append(f"{self.table.file}: {owner} has a piece of one instant: {self._places(part)}")
            arrays = {key: values[part] for key, values in self.parts.items()}
            pieces[f"{name}{PIECE}{number}" if several else name] = Trajectory(self.times[part], **arrays)
        return pieces

    def _sorted(self, rows: Array, owner: str) -> Array:
        falls = np.flatnonzero(np.diff(self.times[rows]) < 0)
        if not len(falls):
            return rows
        row = int(rows[falls[0] + 1])
        if not self.named_trajectories:
            problem = f"must increase along {owner}, got {self.times[row]:g} after {self.times[rows[falls[0]]]:g}"
            fix = f"sort the rows, or tell trajectories apart in a column {self.layout.trajectory}"
            raise self.table.refuse(row, self.layout.time, problem, fix)
        self.notes.append(
            f"{self.table.file}: the rows of {owner} are put in order, the first is {self._places([row])}"
        )
        return rows[np.argsort(self.times[rows], kind="stable")]

    def _without_doubles(self, rows: Array, owner: str) -> Array:
        again = np.flatnonzero(np.diff(self.times[rows]) == 0) + 1
        if not len(again):
            return rows
        values = np.concatenate([*self.parts.values()], -1)
        for number in again:
            first, second = int(rows[number - 1]), int(rows[number])
            if not np.array_equal(values[first], values[second], equal_nan=True):
                where = self.table.place(first)
                problem = f"must be an instant of its own of {owner}, got {self.times[second]:g} with other values than"
                fix = "keep one, or give what was measured again a trajectory of its own"
                raise self.table.refuse(second, self.layout.time, f"{problem} {where}", fix)
        doubled = rows[again]
        self.notes.append(
            f"{self.table.file}: {len(again)} doubled rows of {owner} count once: {self._places(doubled)}"
        )
        return np.delete(rows, again)

    def _places(self, rows: Sequence[int] | Array) -> str:
        return self.table.places(rows)
