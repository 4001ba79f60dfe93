"""The folders of yamls: conf/ of MetaStruct, and those that a user adds, of the same form.

A user's own piece is a yaml FOLDER/GROUP/NAME.yaml, whose class is in a package of the user's. A folder is added by
`--config-dir FOLDER` or `hydra.searchpath=[FOLDER]` on a command line, or by `metastruct.add_conf(FOLDER)`. The
environment carries it, so every process of a sweep knows it: METASTRUCT_CONF, folders with colons between them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Hashable, Iterable
from functools import cache, wraps
from importlib.resources import files
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
ROOT = Path(sys.modules[__name__.partition(".")[0]].__file__ or "").resolve().parent  # the package
CONF = ROOT / "conf" if (ROOT / "conf").is_dir() else ROOT.parents[1] / "conf"  # installed, or in the repository
VARIABLE = "METASTRUCT_CONF"
SEARCH = "hydra.searchpath"
FLAGS = ("--config-dir", "-cd")
DEPTHS = ("*.yaml", "*/*.yaml")  # such as train.yaml and net/mlp.yaml


def added() -> str:
    """The folders that were added, as the environment has them."""
    return os.environ.get(VARIABLE, "")


def folders() -> tuple[Path, ...]:
    """Every folder of yamls, that of MetaStruct first.

    Raises:
        ValueError: one of them is not there, or has a yaml in the place of another one's.
    """
    return _folders(added())


@cache
def _folders(names: str) -> tuple[Path, ...]:
    every = tuple(dict.fromkeys((CONF, *(Path(os.path.realpath(name)) for name in names.split(os.pathsep) if name))))
    owners = dict[Path, Path]()
    for folder in every:
        if not folder.is_dir():
            raise ValueError(f"{folder} must be a folder of yamls GROUP/NAME.yaml, got none")
        for piece in sorted(path for depth in DEPTHS for path in folder.glob(depth)):
            owner = owners.setdefault(piece.relative_to(folder), folder)
            if owner != folder:
                place = piece.relative_to(folder)
                raise ValueError(f"{place} must be in one folder, got it in {owner} and {folder}; rename yours")
    return every


def add_conf(folder: str | Path) -> None:
    """Add the pieces whose yamls are in this folder; harmless when repeated.

    Args:
        folder: of yamls GROUP/NAME.yaml, whose classes can be imported.

    Raises:
        ValueError: there is no such folder, or one of its yamls has the place of another one.
    """
    if not isinstance(folder, str | Path) or not str(folder).strip():
        shown = folder if isinstance(folder, str) else f"a {type(folder).__name__}"
        raise ValueError(f"{shown!r} must be a folder of yamls GROUP/NAME.yaml, got none")
    try:
        path = Path(folder).expanduser().resolve()
        path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"{str(folder)!r:.60} must be a folder of yamls GROUP/NAME.yaml: {error!s:.60}") from None
    if os.pathsep in str(path):
        raise ValueError(f"{path} must be a folder without {os.pathsep} in its name, which parts folders; rename it")
    if path not in folders():
        names = os.pathsep.join([*filter(None, [added()]), str(path)])
        _folders(names)
        os.environ[VARIABLE] = names


def at_home(word: str) -> str:
    """The word with the home folder for ~, which a shell leaves behind an equals sign: outputs=~/runs."""
    return re.sub(r"(^|=)~(?=/|$)", lambda match: match[1] + os.path.expanduser("~"), word)


def without_folders(words: Iterable[str]) -> list[str]:
    """Add the folders that the words of a command line name; returns the other words, with the home folder for ~.

    Raises:
        ValueError: as of `add_conf`, or a flag lacks its folder.
    """
    rest, kept = [*map(at_home, words)], list[str]()
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        if flag in FLAGS:
            if not equals and not rest:
                raise ValueError(f"{flag} needs a folder of yamls GROUP/NAME.yaml, got none")
            add_conf(value if equals else rest.pop(0))
        elif flag.lstrip("+") == SEARCH:
            for place in value.strip("[]'\" ").split(","):
                add_conf(_located(place.strip("'\" ")))
        else:
            kept.append(word)
    return kept


def _located(place: str) -> Path:
    """The folder of an entry of Hydra's search path, such as file:///home/me/conf or pkg://mine.conf."""
    scheme, separator, name = place.rpartition("://")
    if separator and scheme == "pkg":
        try:
            return Path(str(files(name)))
        except ImportError as error:
            raise ValueError(f"{SEARCH}: {place} must be a package that can be imported; {error}") from None
    return Path(name)


def search_path() -> list[str]:
    """The words that tell Hydra of the folders that were added."""
    more = folders()[1:]
    quoted = ("'" + f"file://{folder}".replace("'", r"\'") + "'" for folder in more)  # it may hold spaces and commas
    return [f"{SEARCH}=[{','.join(quoted)}]"] if more else []


def yaml_of(group: str, name: str) -> Path:
    """The file of a piece; one that is not there, where no folder has it."""
    paths = [folder / group / f"{name}.yaml" for folder in folders()]
    return next((path for path in paths if path.exists()), paths[0])


def cached(function: Callable[P, R]) -> Callable[P, R]:
    """The same, computed once for the folders that there are."""

    @cache
    def among(place: str, *arguments: Hashable, **words: Hashable) -> R:
        return function(*arguments, **words)  # type: ignore[call-arg, arg-type]

    @wraps(function)
    def computed(*arguments: P.args, **words: P.kwargs) -> R:
        return among(added(), *arguments, **words)  # type: ignore[arg-type]

    computed.cache_clear = among.cache_clear  # type: ignore[attr-defined]
    return computed
