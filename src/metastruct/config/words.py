"""Words of a command line, key=value: one grammar, that of Hydra, for whoever reads or writes them."""

from __future__ import annotations

import copy
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException

from metastruct.config.facts import options
from metastruct.config.mistakes import ConfigError

QUOTED = "write key=value, and quote values that hold spaces, brackets or other letters: 'key=\"a value\"'"
PLAIN = re.compile(r"(?!(null|true|false|nan|inf)$)[a-z_./][\w./-]*", re.IGNORECASE | re.ASCII)


def parsed(word: str) -> Override:
    """A word as Hydra reads it.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        raise ConfigError(f"cannot read {word!r}; {QUOTED}") from None


def swept(word: str) -> list[str] | None:
    """The values that a word sweeps over, of glob(*) the options of its group; None of one value.

    Raises:
        ConfigError: it cannot be read.
    """
    override = parsed(word)
    if not override.is_sweep_override():
        return None
    pattern = override.value()
    if isinstance(pattern, Glob):
        return pattern.filter([*options(override.key_or_group)])
    return [*override.sweep_string_iterator()]


def value_of(key: str, text: str) -> Any:
    """The value that a word key=text sets.

    Raises:
        ConfigError: it is none, or several to sweep over.
    """
    return copy.deepcopy(_value(key, text))


@lru_cache(maxsize=4096)
def _value(key: str, text: str) -> Any:
    override = parsed(f"{key}={text}")
    if override.is_sweep_override():
        raise ConfigError(f"{key} must have one value, got {text}; quote a word with commas: '{key}=\"{text}\"'")
    return override.value()


def worded(value: Any) -> str:
    """A value as `value_of` and Hydra read it."""
    if isinstance(value, str | Path):
        text = str(value)
        if PLAIN.fullmatch(text):
            return text
        escaped = re.sub(r"(\\*)('|$)", lambda match: 2 * match[1] + (match[2] and "\\'"), text)  # of Hydra's grammar
        return f"'{escaped}'"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(worded, value))}]"
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
