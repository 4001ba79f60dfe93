"""The command `metastruct`: one subcommand a file, whose first line says what it does and whose `main` does it.

`PLACES` says what must stand in places, and that the text of the file is the help.

    metastruct inspect measurements/
    metastruct train data=files data.path=measurements.csv data.states=[angle,momentum]

What needs no torch answers without it: help and a mistaken word at once.
"""

from __future__ import annotations

import ast
import math
import os
import pkgutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from metastruct.config.folders import without_folders
from metastruct.config.mistakes import closest
from metastruct.config.work import MOST
from metastruct.running.memory import kept_memory
from metastruct.running.output import patient
from metastruct.running.ranks import forget_words
from metastruct.running.usage import HELP as HELP
from metastruct.runs.refusals import check_place, in_words, status_of


def main(words: Sequence[str] | None = None) -> None:
    """Run what a command line asks for; exit with 0, 2 after a mistake, 130, or what a subcommand says."""
    words = sys.argv[1:] if words is None else words
    if not words or words[0] in HELP:
        print(usage())
        return
    name, *rest = words
    if name not in (names := [*subcommands()]):
        raise SystemExit(failed(f"metastruct {name or repr(name)} is not known; {closest(name, names)}"))
    forget_words()
    try:
        os.getcwd()
    except OSError:
        raise SystemExit(failed("the folder that this runs in is not there any more; change to another")) from None
    try:
        if "" in rest:
            raise ValueError(f"metastruct {name} takes no empty words, got one; leave it out, or write what is meant")
        module, rest = import_module(f"{__name__}.{name}"), without_folders(rest)
        with patient(), kept_memory():
            if hasattr(module, "PLACES") and ({*HELP} & {*rest} or (module.PLACES and not rest)):
                print(module.__doc__)
            else:
                module.main(rest)
    except OSError as error:
        raise SystemExit(failed(in_words(error), status_of(error))) from None
    except ValueError as error:
        raise SystemExit(failed(" ".join(str(error).split()))) from None
    except KeyboardInterrupt:
        print("interrupted; the same command goes on, or begins again", file=sys.stderr)
        raise SystemExit(130) from None


@contextmanager
def whole(*places: Path) -> Iterator[None]:
    """Results that are all written, or none: of those that were not there, what an error leaves is removed."""
    fresh = [place for place in places if not place.exists()]
    try:
        yield
    except BaseException:
        for place in fresh:
            with suppress(OSError):
                place.unlink(missing_ok=True)
        raise


def failed(message: str, status: int = 2) -> int:
    """Say what was wrong; the exit status."""
    print(f"error: {message}", file=sys.stderr)
    return status


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
    words: Sequence[str], command: str, flags: Mapping[str, str], places: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Words that stand in a place, and values of flags such as --until 30, --until=30 or force=true.

    Args:
        command: whose words they are.
        flags: that may be there, each with an example of its value; empty where it takes none.
        places: what must stand in each place.

    Raises:
        ValueError: one of them means nothing, lacks its value or stands there twice.
    """
    rest, arguments, values = [*words], list[str](), dict[str, str]()
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        if not word.startswith("-") and (not equals or Path(word).exists()):
            arguments.append(word)
            continue
        if flag not in flags:
            raise ValueError(f"{flag} is not known; {closest(flag, [*flags]) if flags else 'there are no flags'}")
        if equals and not flags[flag]:
            raise ValueError(f"{flag} takes no value, got {value!r}; write {flag} alone")
        if not equals and flags[flag]:
            value = rest.pop(0) if rest else ""
        if flags[flag] and (not value or value.startswith("--")):
            example = f"{flag}{' ' if flag.startswith('-') else '='}{flags[flag]}"
            raise ValueError(f"{flag} needs a value such as {example}, got none")
        if flag in values:
            raise ValueError(f"{flag} must be there once, got it twice; leave one out")
        values[flag] = value
    if len(arguments) != len(places):
        expected = " and ".join(places) or "flags alone"
        raise ValueError(
            f"metastruct {command} takes {expected}, got {' '.join(arguments) or 'none'}; its --help shows them"
        )
    return arguments, values


def numbers(flag: str, text: str, size: int | None = None, least: float = -math.inf) -> list[float]:
    """Finite numbers between commas.

    Raises:
        ValueError: they are none, not as many as `size`, or one is below `least`.
    """
    from metastruct.data.outside import LARGEST

    try:
        values = [float(word) for word in text.split(",")]
    except ValueError:
        values = []
    finite = all(least <= value and abs(value) <= LARGEST for value in values)
    if not values or not finite or size not in (None, len(values)):
        expected = "a finite number" if size == 1 else f"{size or ''} finite numbers separated by commas".strip()
        bound = "" if least == -math.inf else f" of at least {least:g}"
        raise ValueError(f"{flag} must be {expected}{bound}, got {text!r}")
    return values


def allowed_work(values: Mapping[str, str]) -> float | None:
    """Times the usual work, of the flags; None where they leave it as it was.

    Raises:
        ValueError: --work is no number from 1 to a million.
    """
    if "--work" not in values:
        return None
    (work,) = numbers("--work", values["--work"], 1, 1.0)
    if work > MOST:
        raise ValueError(f"--work must be at most {MOST:,}, got {work:g}")
    return work


def destination(flag: str, path: Path, values: Mapping[str, str], *files: str) -> Path:
    """Where results go, looked at before they are made.

    Args:
        values: of the flags, of which force=true lets results replace others.
        files: that results are; it is a folder of these then.

    Raises:
        ValueError: something else is in its place, or results are there already.
    """
    forced = values.get("force", "false").lower()
    if forced not in ("true", "false"):
        raise ValueError(f"force must be true or false, got {values['force']!r}")
    check_place(flag, path, bool(files))
    there = [place for place in (path / file for file in files or ("",)) if place.exists()]
    if there and forced == "false":
        raise ValueError(f"{there[0]} is there already; name another place with {flag}, or replace it: force=true")
    return path
