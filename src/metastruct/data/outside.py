"""The one door for what comes from outside: numbers and names of places come in unchanged, or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray
LARGEST = 1e50  # whose sixth power is a number still, as of the loss of a fit and its error bars
UNWRITTEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # letters of a path that no message can show
Inputs = ArrayLike | tuple[ArrayLike, ArrayLike]  # at the times that are asked for, or (t, u)


def states_of(values: ArrayLike, name: str, size: int) -> Array:
    """States `[..., state]`.

    Raises:
        ValueError: the last axis is not the state, or a number is not finite.
    """
    array = floats(values, f"{name} must be numbers of shape [..., {size}]")
    if array.ndim < 1 or array.shape[-1] != size:
        raise ValueError(f"{name} must have the shape [..., {size}], got {list(array.shape)}")
    if lost := _lost(array):
        raise ValueError(f"{name} must be finite and at most {LARGEST:g}, got {lost} NaN or larger numbers")
    return array


def instants_of(values: ArrayLike) -> Array:
    """Increasing times `[times]`.

    Raises:
        ValueError: they do not increase, or are not finite, or there is none.
    """
    instants = floats(values, "times must be numbers of shape [times]")
    if instants.ndim != 1 or not len(instants):
        raise ValueError(f"times must have the shape [times], got {list(instants.shape)}")
    if not np.isfinite(instants).all() or (np.diff(instants) <= 0).any():
        raise ValueError("times must be finite and increase")
    return instants


def pieces_of(values: ArrayLike | Sequence[ArrayLike], name: str, *sizes: int) -> list[Array]:
    """One array `[points, *sizes]` for each trajectory, of one array or a list of such.

    Raises:
        ValueError: a shape is wrong, a number is not finite, or there is no observation.
    """
    axes = 1 + len(sizes)
    several = isinstance(values, list | tuple) and _axes(values[0] if values else 0) == axes
    pieces: Any = values if several else (values,)
    words = f"[{', '.join(['points', *map(str, sizes)])}]"
    arrays = [floats(piece, f"{name} must be numbers of shape {words}") for piece in pieces]
    for array in arrays:
        if array.ndim != axes or array.shape[1:] != sizes:
            raise ValueError(f"{name} must have the shape {words}, got {list(array.shape)}")
    if not sum(map(len, arrays)):
        raise ValueError(f"{name} must hold at least one observation {words}, got none")
    if lost := sum(map(_lost, arrays)):
        raise ValueError(f"{name} must be finite and at most {LARGEST:g}, got {lost} NaN or larger numbers")
    return arrays


def several(values: Any, name: str, expected: str) -> list[Any]:
    """The parts of a list, or of anything else that has parts.

    Raises:
        ValueError: it has none.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable) or not getattr(values, "ndim", 1):
        raise ValueError(f"{name} must be {expected}, got {shortly(values)}")
    return [*values]


def place_of(path: Any, name: str) -> Path:
    """The path of a file or a folder.

    Raises:
        ValueError: it is no path, or the system does not let it be looked at.
    """
    if not isinstance(path, str | Path) or not str(path).strip() or UNWRITTEN.search(str(path)):
        raise ValueError(f"{name} must be the path of a file or a folder, got {shortly(path)}")
    try:
        Path(path).exists()
    except OSError as error:
        problem = f"{len(str(path))} letters: {error.strerror}"
        raise ValueError(f"{name} must be a path that the system lets be looked at, got one of {problem}") from error
    return Path(path)


def shortly(value: Any) -> str:
    """What came instead, in a few words of one line."""
    try:
        words = repr(value)
    except Exception:  # of a stranger's class
        words = f"a {type(value).__name__}"
    return f"{' '.join(words.split()):.60}"


def _axes(values: Any) -> int:
    """Of an array, 0 where it is none."""
    try:
        return np.ndim(values)
    except ValueError:
        return 0


def _lost(array: Array) -> int:
    """How many are NaN, infinite or too large."""
    return int((~(np.abs(array) <= LARGEST)).sum())


def floats(values: ArrayLike, expected: str) -> Array:
    """Numbers `[...]` in float64.

    Raises:
        ValueError: the values are no real numbers, such as complex ones, or times with a unit of their own; or float64
            does not hold all of their digits.
    """
    if problem := _loses(values):
        raise ValueError(f"{expected}, got {problem}")
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O" and not all(is_number(value) for value in array.flat):
            raise TypeError("not all of it are real numbers")
        if array.dtype.kind in "iufO":
            with np.errstate(over="ignore"):  # what overflows does not keep its digits, see below
                floats = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError, RecursionError) as error:
        raise ValueError(f"{expected}, got something else ({' '.join(str(error).split())})") from None
    if array.dtype.kind not in "iufO":
        kinds = {"c": "complex numbers", "b": "truth values", "m": "time spans with a unit", "M": "dates"}
        raise ValueError(f"{expected}, got {kinds.get(array.dtype.kind, 'something else')} ({array.dtype})")
    if array.dtype.itemsize >= 8 and array.dtype != np.float64 and not _same(array, floats):
        raise ValueError(f"{expected}, got {array.dtype} numbers with more digits than float64 holds")
    return floats


def _loses(values: Any, depth: int = 0) -> str | None:
    """What numpy would drop of these without a word, a mask, a unit or digits, or None."""
    if isinstance(values, np.ma.MaskedArray):
        return "a masked array; leave out what is masked"
    if hasattr(values, "unit") or hasattr(values, "units"):
        return "numbers with a unit of their own"
    if isinstance(values, bool | np.bool):
        return "truth values"
    if isinstance(values, np.timedelta64):
        return "time spans with a unit"
    if isinstance(values, int | np.integer) and abs(int(values)) > 2**53:  # among floats it would become one
        return None if abs(int(values)) < 2**1023 and int(float(values)) == int(values) else "integers of more digits"
    if depth and hasattr(values, "__array__") and not isinstance(values, np.generic):  # in a list it would be promoted
        try:
            floats(values, "")
        except ValueError as error:
            return str(error).removeprefix(", got ")
    plain = isinstance(values, str | bytes | bytearray | memoryview | range)  # of one kind
    if isinstance(values, Sequence) and not plain and depth < 64:  # as many axes as an array of numpy can have
        return next(filter(None, (_loses(value, depth + 1) for value in values)), None)
    return None


def is_number(value: Any) -> bool:
    """Is it one real number, and no truth value and no time?"""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool | np.timedelta64)


def _same(array: Array, floats: Array) -> bool:
    """Does float64 hold all digits of these integers or long floats?"""
    if array.dtype.kind == "f":
        return bool(((floats == array) | (np.isnan(floats) & np.isnan(array))).all())
    pairs = zip(array.flat, floats.flat, strict=True)
    small = array.dtype.kind in "iu" and not (np.abs(floats) > 2.0**53).any()
    return small or all(_exact(one, float(other)) for one, other in pairs)


def _exact(one: Any, other: float) -> bool:
    """Is a number the float that was made of it? Integers compare as Python's own, which lose no digit."""
    one = int(one) if isinstance(one, int | np.integer) else one
    return one == other or (one != one and other != other)
