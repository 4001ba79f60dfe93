"""What is wrong with a table: where, what was expected, what came, what to do, in one line."""

from __future__ import annotations

from difflib import get_close_matches


class Malformed(ValueError):
    """A table cannot be read as trajectories.

    Args:
        file: its name.
        problem: what was expected and what came.
        fix: what to do.
        line: where, such as "line 7" or "row 7".
        column: its name.
    """

    def __init__(self, file: str, problem: str, fix: str, line: str | None = None, column: str | None = None):
        place = ", ".join(word for word in (file, line, None if column is None else f"column {column}") if word)
        super().__init__(" ".join(f"{place}: {problem}; {fix}".split()))


def said(value: object) -> str:
    """A value of a stranger, short and on one line."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def listed(names: list[str]) -> str:
    """Some names of many."""
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def nearest(name: str, names: list[str]) -> str:
    """'did you mean ...?' with near matches, or what there is."""
    folded = [other for other in names if other.casefold() == name.casefold()]
    near = folded or get_close_matches(name, names, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"there is {listed(names) or 'no column'}"
