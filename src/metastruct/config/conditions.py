"""Words of yamls for values: bounds such as "at least 1", and conditions of settings, which may hold such bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import ge, gt, le, lt
from typing import Any

ROWS, EACH = "rows, ", "each "
ROUND_OFF = 1e-6  # of single precision, relative
Numbers = Mapping[str, Any]  # settings and sizes that may stand for a number, by name


def holds(conditions: Any, settings: Mapping[str, Any], numbers: Numbers | None = None) -> bool:
    """Are settings as conditions say, {setting: condition}, all of them, or a list of such of which one is enough?

    Args:
        conditions: as of `fits`; what is not among the settings holds. True: there are none.
    """
    if isinstance(conditions, Mapping):
        return all(fits(settings.get(name, limit), limit, numbers) for name, limit in conditions.items())
    return conditions is True or any(holds(each, settings, numbers) for each in conditions)


def fits(value: Any, condition: Any, numbers: Numbers | None = None) -> bool:
    """Is a value as a condition says?

        bounds            a number within them, as of `bounds`
        true, false       what is switched so, or else: is there anything at all?
        a list            one of these, or a list of none but these
        zero, asymmetric, indefinite, singular
                          of numbers in lists: a matrix that is so, see `LISTS`; no numbers are zero as well
        several           of a list: more than one
        not word          none of the rest
        anything else     the same, or a list that holds it

    A condition in bounds of a number that is not known yet holds.
    """
    if isinstance(condition, str) and condition.startswith("not "):
        return not fits(value, condition.removeprefix("not "), numbers)
    if condition in [*LISTS] and not isinstance(value, str):
        return LISTS[condition](value)
    if isinstance(condition, list):
        return set(value) <= set(condition) if isinstance(value, list | tuple) else value in condition
    if isinstance(condition, bool) and not isinstance(value, bool):
        return condition == (value is not None and value != [])
    if isinstance(value, list | tuple):
        return any(fits(entry, condition, numbers) for entry in value)
    if isinstance(condition, str) and (type(value) in (int, float) or str(value).startswith("${")):
        try:
            limits = bounds(condition, numbers)
        except ValueError:  # a word, or a bound that is not known yet itself
            return isinstance(value, int | float) or bool(value == condition)
        return not isinstance(value, int | float) or all(limit(value) for limit in limits)
    return bool(value == condition)


def bounds(law: str, numbers: Numbers | None = None) -> list[Callable[[Any], bool]]:
    """Of words such as "at least 1", "above 0", "0 or more", "at most 8" and "below 2^63", joined by "and".

    Also "a number", of any size, "even", "odd", and "a multiple of 2 x dimension"; a list is the product of its
    numbers. After a comma, a reason may follow, or that it is "a whole number" where the default does not say so, or
    there "once each"; before it, "each", of the numbers of a list, and before that "rows", of a matrix.

    Args:
        numbers: the settings that may stand for a bound, by name.

    Raises:
        ValueError: it is said otherwise, or a bound is no number.
    """
    words, _, _ = law.removeprefix(ROWS).removeprefix(EACH).partition(",")
    return [_bound(part, numbers or {}) for part in words.split(" and ")]


def _of_zeros(matrix: Any) -> bool:
    """Has it no number but zero?"""
    return all(map(_of_zeros, matrix)) if isinstance(matrix, list | tuple) else not matrix


def _is_square(matrix: Any) -> bool:
    return isinstance(matrix, list) and all(isinstance(row, list) and len(row) == len(matrix) for row in matrix)


def _lowest(matrix: Any) -> float:
    """The lowest eigenvalue of a square matrix over its largest number; -1 of what is not symmetric."""
    import numpy as np

    numbers = np.array(matrix, float)
    size = np.abs(numbers).max() or 1.0
    if np.abs(numbers - numbers.T).max() > ROUND_OFF * size:
        return -1.0
    return float(np.linalg.eigvalsh(numbers / size).min())


LISTS: Mapping[str, Callable[[Any], bool]] = {
    "several": lambda entries: len(entries or ()) > 1,
    "zero": _of_zeros,
    "asymmetric": lambda matrix: _is_square(matrix) and [*map(tuple, matrix)] != [*zip(*matrix, strict=True)],
    "indefinite": lambda matrix: _is_square(matrix) and _lowest(matrix) < -ROUND_OFF,  # or not symmetric
    "singular": lambda matrix: _is_square(matrix) and _lowest(matrix) <= 0,  # or indefinite
}


def _bound(words: str, numbers: Numbers) -> Callable[[Any], bool]:
    match words.split():
        case ["a", "number"]:
            return math.isfinite
        case ["even"]:
            return lambda value: value % 2 == 0
        case ["odd"]:
            return lambda value: value % 2 == 1
        case ["a", "multiple", "of", *factors] if factors:
            unit = _product(factors, numbers)
            return lambda value: value % unit == 0
        case ["at", "least", *low] | [*low, "or", "more"] if low:
            return partial(le, _product(low, numbers))
        case ["above", *low] if low:
            return partial(lt, _product(low, numbers))
        case ["at", "most", *high] if high:
            return partial(ge, _product(high, numbers))
        case ["below", *high] if high:
            return partial(gt, _product(high, numbers))
    raise ValueError(
        "a law is `at least 1`, `above 0`, `0 or more`, `at most 8`, `below 1`, `even`, `odd` or `a multiple of 2`, "
        f"joined by `and`, got {words!r}"
    )


def _product(factors: Sequence[str], numbers: Numbers) -> float:
    """Of words such as `2 x dimension`."""
    return math.prod(_number(factor, numbers) for factor in " ".join(factors).split(" x "))


def _number(text: str, numbers: Numbers) -> float:
    if text in numbers:
        value = numbers[text]
        if type(value) in (int, float):
            return float(value)
        if value is None or (isinstance(value, list | tuple) and all(type(each) is int for each in value)):
            return float(math.prod(value or ()))
        raise ValueError(f"{text} is no number, got {value!r}")
    base, _, power = text.partition("^")
    return int(base) ** int(power) if power else float(base)
