"""What is wrong with a table: where, what was expected, what came, what to do, in one line."""

from __future__ import annotations


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
