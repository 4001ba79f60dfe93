"""How a user's mistake is answered: in one line, with what was meant perhaps. Light, for the answer comes at once."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


class ConfigError(ValueError):
    """A user's mistake, in one line: what was expected, what came, what to do."""


def closest(word: str, options: Sequence[str]) -> str:
    """'did you mean ...?' with the near matches, or what there is."""
    alike = [option for option in options if option.casefold() == word.casefold()]
    near = alike or get_close_matches(word, options, n=3, cutoff=0.6)
    return (
        f"did you mean {' or '.join(near)}?" if near else f"there is {listed(options)}" if options else "leave it out"
    )


def listed(names: Sequence[str], most: int = 30) -> str:
    """Some names of many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
