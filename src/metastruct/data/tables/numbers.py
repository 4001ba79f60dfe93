"""From the cells of a column to numbers in float64 that lose no digit, NaN where a cell says that nothing was seen."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from metastruct.data.outside import LARGEST as MOST

Array = np.ndarray
MISSING = {"", "nan", "na", "n/a", "null", "none"}
LARGEST = 2**53  # integers that float64 holds one by one
KINDS = {"b": "truth values", "c": "complex numbers", "M": "dates", "m": "time spans", "V": "several numbers a cell"}
DATE = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\s*\d{1,2}:\d{2}")
COMMA = re.compile(r"\s*[+-]?(\d+,\d+|\d{1,3}(,\d{3})+(\.\d*)?)(e[+-]?\d+)?\s*", re.IGNORECASE)
WITH_UNIT = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*[^\d\s,.].*", re.IGNORECASE)
EMPTY = "write a number, or leave the cell empty where nothing was seen"
DATES = "write instants as numbers, such as seconds since the first"

Refusal = Callable[[int, str, str], Exception]  # row, problem, fix


def numbers(values: Array | tuple[str, ...], refuse: Refusal) -> Array:
    """Numbers `[rows]` of a typed column, or of one of words.

    Args:
        refuse: makes the error of a row, of what is wrong with it and what to do.
    """
    if isinstance(values, tuple):  # of words, as they stand in a text
        return _of_words(values, refuse)
    array = np.asarray(values)
    if array.dtype.kind in "UOS":
        return _of_words([_word(value) for value in array], refuse)
    if array.dtype.kind not in "iuf":
        kind = KINDS.get(array.dtype.kind, f"{array.dtype} values")
        raise refuse(0, f"must be numbers, got {kind}", DATES if array.dtype.kind in "Mm" else "write numbers")
    floats = array.astype(np.float64)
    if array.dtype.kind in "iu":
        large = np.flatnonzero((array > LARGEST) | (array < -LARGEST if array.dtype.kind == "i" else False))
        if len(large):
            raise _too_long(refuse, int(large[0]), array[large[0]])
    if len(lost := np.flatnonzero(np.abs(floats) > MOST)):
        raise refuse(int(lost[0]), f"{_finite(floats[lost[0]])}, got {array[lost[0]]}", EMPTY)
    return floats


def _finite(value: float) -> str:
    return "must be finite" if math.isinf(value) else f"must be at most {MOST:g}"


def _word(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _too_long(refuse: Refusal, row: int, value: object) -> Exception:
    return refuse(row, f"must be a number that float64 holds, got {value}", "write fewer digits")


def _of_words(cells: Sequence[str], refuse: Refusal) -> Array:
    floats = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            value = float(cell)
        except ValueError:
            if cell.strip().lower() not in MISSING:
                raise _not_a_number(row, cell, refuse) from None
            value = math.nan
        if abs(value) > MOST:
            raise refuse(row, f"{_finite(value)}, got {cell.strip()[:40]}", EMPTY)
        if "_" in cell or not cell.isascii():  # Python reads these
            raise _not_a_number(row, cell, refuse)
        if abs(value) >= LARGEST and cell.strip().lstrip("+-").isdigit() and int(cell) != int(value):
            raise _too_long(refuse, row, cell.strip()[:40])
        floats[row] = value
    return floats


def _not_a_number(row: int, cell: str, refuse: Refusal) -> Exception:
    text = cell if len(cell) <= 40 else f"{cell[:37]}..."
    fix = EMPTY
    if DATE.match(cell):
        fix = DATES
    elif COMMA.fullmatch(cell):
        fix = "write a decimal point, and no separator of thousands"
    elif cell.lstrip().startswith("="):
        fix = "write the value of the formula"
    elif WITH_UNIT.fullmatch(cell):
        fix = "write the number alone, and its unit in data.units"
    return refuse(row, f"must be a number, got {text!r}", fix)
