"""The command `metastruct`: one subcommand a file, whose first line says what it does and whose `run` does it.

    metastruct inspect measurements/
    metastruct train data=files data.path=measurements.csv data.states=[angle,momentum]

What needs no torch answers without it: help and a mistaken word at once.
"""

from __future__ import annotations

import ast
import math
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from metastruct.config.folders import without_folders
from metastruct.data.tables.malformed import nearest
from metastruct.running.usage import HELP as HELP


def main(words: Sequence[str] | None = None) -> None:
    """Run what a command line asks for; exit with 0, 2 after a mistake of the user's, else as the subcommand says."""
    words = sys.argv[1:] if words is None else words
    if not words or words[0] in HELP:
        print(usage())
        return
    name, *rest = words
    if name not in (names := [*subcommands()]):
        raise SystemExit(failed(f"metastruct {name} is not known; {nearest(name, names)}"))
    try:
        import_module(f"{__name__}.{name}").run(without_folders(rest))
    except (ValueError, OSError) as error:
        raise SystemExit(failed(" ".join(str(error).split()))) from None


def failed(message: str) -> int:
    """Say what was wrong; the exit status."""
    print(f"error: {message}", file=sys.stderr)
    return 2


def subcommands() -> dict[str, str]:
    """What each does, by name; nothing of it is imported."""
    folder = Path(__file__).parent
    names = sorted(module.name for module in pkgutil.iter_modules([str(folder)]))
    texts = {name: ast.get_docstring(ast.parse((folder / f"{name}.py").read_text())) or "" for name in names}
    return {name: text.partition("\n")[0] for name, text in texts.items()}


def usage() -> str:
    """The help of the command."""
    every = subcommands()
    width = max(map(len, every))
    lines = [f"  {name:<{width}}  {text}" for name, text in every.items()]
    title = "MetaStruct: meta-learning of structure-preserving dynamics."
    return "\n".join([title, "", "metastruct SUBCOMMAND ...", *lines, "", "metastruct SUBCOMMAND --help says more."])


def parsed(
    words: Sequence[str], command: str, flags: Mapping[str, str], places: int
) -> tuple[list[str], dict[str, str]]:
    """Words that stand in a place, and values of flags such as --until 30 or --until=30.

    Args:
        command: whose words they are.
        flags: that may be there, each with an example of its value.
        places: how many words must stand in one.

    Raises:
        ValueError: one of them means nothing, or lacks its value.
    """
    rest, arguments, values = [*words], list[str](), dict[str, str]()
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        if not word.startswith("--"):
            arguments.append(word)
        elif flag not in flags:
            raise ValueError(f"{flag} is not known; {nearest(flag, [*flags])}")
        else:
            value = value if equals else rest.pop(0) if rest else ""
            if not value or value.startswith("--"):
                raise ValueError(f"{flag} needs a value such as {flag} {flags[flag]}, got none")
            values[flag] = value
    if len(arguments) != places:
        raise ValueError(
            f"{command} takes {places} names, got {len(arguments)}; metastruct {command} --help shows them"
        )
    return arguments, values


def numbers(flag: str, text: str, size: int | None = None) -> list[float]:
    """Finite numbers between commas.

    Raises:
        ValueError: they are none, or not as many as `size`.
    """
    try:
        values = [float(word) for word in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(map(math.isfinite, values)) or size not in (None, len(values)):
        expected = "numbers" if size is None else "one number" if size == 1 else f"{size} numbers"
        raise ValueError(f"{flag} must be {expected} separated by commas, got {text!r}")
    return values
