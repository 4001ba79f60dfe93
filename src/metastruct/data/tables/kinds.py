"""Labels that are words: a column of zeros and ones for each, so that probes can read kinds from codes.

    material = steel, brass, steel   ->   material=steel: 1, 0, 1   and   material=brass: 0, 1, 0

Of two kinds the first in the alphabet has a column, for the other would
say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metastruct.data.tables.layout import Layout
from metastruct.data.tables.malformed import Malformed
from metastruct.data.tables.numbers import MISSING, Array
from metastruct.data.tables.table import Table

MOST = 12  # kinds of one label


def of_kinds(tables: Sequence[Table], layout: Layout) -> tuple[list[Table], Layout]:
    """The tables with such columns, and the layout that names them in the place of the labels that are words.

    Raises:
        Malformed: a label has more kinds than any probe could tell apart.
    """
    labels = list[str]()
    for name in layout.labels:
        columns = [_words(table, name) for table in tables]
        if any(words is None for words in columns):
            labels.append(name)
            continue
        kinds = sorted({word for words in columns for word in words or () if word.lower() not in MISSING})
        if len(kinds) > MOST:
            problem = f"must be a number or one of at most {MOST} words, got {len(kinds)} words"
            raise Malformed(tables[0].file, problem, "leave it out of the labels, or write fewer kinds", column=name)
        chosen = kinds if len(kinds) != 2 else kinds[:1]
        labels += [f"{name}={kind}" for kind in chosen]
        tables = [
            replace(
                table, columns={**table.columns, **{f"{name}={kind}": _indicator(words or [], kind) for kind in chosen}}
            )
            for table, words in zip(tables, columns, strict=True)
        ]
    columns_left = {*layout.named} - ({*layout.labels} - {*labels})
    units = {name: unit for name, unit in layout.units.items() if name in columns_left}
    return list(tables), replace(layout, labels=tuple(labels), units=units)


def _words(table: Table, name: str) -> list[str] | None:
    """The cells of a column none of whose words is a number; None of any other."""
    column = table.columns.get(name)
    cells = column if isinstance(column, tuple) else column if isinstance(column, np.ndarray) else ()
    if not isinstance(column, tuple) and (not len(cells) or np.asarray(cells).dtype.kind not in "UO"):
        return None
    words = ["" if cell is None or cell != cell else str(cell).strip() for cell in cells]
    there = [word for word in words if word.lower() not in MISSING]
    return words if there and not any(word[0].isdigit() or word[0] in "+-.=" for word in there) else None


def _indicator(words: Sequence[str], kind: str) -> Array:
    return np.array([np.nan if word.lower() in MISSING else float(word == kind) for word in words])
