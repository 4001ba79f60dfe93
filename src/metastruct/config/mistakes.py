"""How a user's mistake is answered: in one line, with what was meant perhaps. Light, for the answer comes at once."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


class ConfigError(ValueError):
    """A user's mistake, in one line: what was expected, what came, what to do."""


def closest(word: str, options: Sequence[str], instead: Sequence[str] | None = None) -> str:
    """'did you mean ...?' with the near matches, or what there is.

    Args:
        instead: what to list where none is near, of many options.
    """
    alike, there = near(word, options), options if instead is None else instead
    return f"did you mean {' or '.join(alike)}?" if alike else f"there is {listed(there)}" if there else "leave it out"


def near(word: str, options: Sequence[str]) -> list[str]:
    """The same word in other letters or with other dashes, else up to three that are like it."""
    alike = [option for option in options if option.casefold().lstrip("-") == word.casefold().lstrip("-")]
    return alike or get_close_matches(word, options, n=3, cutoff=0.6)


def listed(names: Sequence[str], most: int = 30) -> str:
    """Some names of many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
