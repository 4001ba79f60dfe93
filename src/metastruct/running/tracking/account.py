"""What Weights & Biases needs of a machine and of names, without importing wandb, which takes a second."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path


def has_key() -> bool:
    """Whether an API key lies in WANDB_API_KEY or, after a `wandb login`, in ~/.netrc or the file that NETRC names."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    names = [os.environ.get("NETRC") or "~/.netrc", "~/_netrc"]
    for path in (Path(os.path.expanduser(name)) for name in names):
        with suppress(OSError):
            if "wandb" in path.read_text(errors="replace"):
                return True
    return False


def check_word(key: str, word: object) -> None:
    """May a project, a team or a tag be named so, with Weights & Biases, in a table and in an address?

    Raises:
        ValueError: names the key.
    """
    if not isinstance(word, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}", word):
        lawful = "up to 64 letters, digits, spaces and . _ - that begin with a letter or a digit"
        raise ValueError(f"{key} must be {lawful}, got {word!r}")
