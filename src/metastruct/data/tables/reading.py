"""From a path to tables: which files there are, what their bytes are, which format reads them.

The content of a path is a hash of the names and bytes of its files, so that a run knows the data that it was made of.
"""

from __future__ import annotations

import errno
import hashlib
import os
import pkgutil
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from metastruct.config.mistakes import listed
from metastruct.data.tables import formats
from metastruct.data.tables.malformed import Malformed
from metastruct.data.tables.table import Table

GZIP = b"\x1f\x8b"


def tables(path: str | Path, content: str | None = None) -> tuple[list[Table], list[str]]:
    """The tables of a file or of a folder, and what was left out.

    Args:
        content: what `content_of` said of the path before; files that have changed since are refused.

    Raises:
        Malformed: names file, line, column and fix.
    """
    files, notes = files_of(path)
    contents = [_bytes(file) for file in files]
    if content is not None and _digest(Path(path), files, [_sum(each) for each in contents]) != content:
        raise Malformed(str(path), "must stay as it is while it is read, got another content", "run the command again")
    return [_table(file, each) for file, each in zip(files, contents, strict=True)], notes


def content_of(path: str | Path | None) -> str | None:
    """The hash of a file, or of the names and bytes of the files of a folder; None of no path.

    Raises:
        Malformed: there is none, or it cannot be read.
    """
    if not isinstance(path, str | Path) or not str(path):
        return None
    files, _ = files_of(path)
    return _digest(Path(path), files, [_known_sum(file, *_signature(file)) for file in files])


def digest_of(content: bytes) -> str:
    """What `content_of` says of a file of these bytes."""
    return _sum(content)[:16]


def files_of(path: str | Path) -> tuple[list[Path], list[str]]:
    """The files of a path that a format reads, by name, and notes on what else lies there.

    Raises:
        Malformed: there is nothing to read.
    """
    place = Path(path)
    try:
        there = place.stat()
        inside = sorted(place.iterdir()) if place.is_dir() else [place]
    except OSError as error:
        raise _unreadable(place, error) from None
    if not place.is_dir():
        if not place.is_file():
            raise Malformed(str(place), f"must be a file or a folder, got mode {there.st_mode:o}", "give a file")
        _format(place)
        return inside, []
    files = [file for file in inside if file.suffix.lower() in _suffixes() and not file.name.startswith(".")]
    strangers = [file.name for file in inside if file not in files]
    if not files:
        problem = f"must hold files that end in {', '.join(_suffixes())}, got {listed(strangers) or 'none'}"
        raise Malformed(str(place), problem, "write one file a member")
    return files, [f"{place}: left out, for no format has these names: {listed(strangers)}"] if strangers else []


def _table(file: Path, content: bytes) -> Table:
    chosen = _format(file)
    if not content:
        raise Malformed(file.name, "must hold a table, got an empty file", "write one row an instant")
    if content.startswith(GZIP):
        raise Malformed(file.name, "must not be compressed, got gzip", "unpack it")
    if not content.startswith(chosen.MAGIC) or not chosen.MAGIC:
        for other in _formats():
            if other is not chosen and other.MAGIC and content.startswith(other.MAGIC):
                fix = f"rename it to {other.SUFFIXES[0]} if that is what it is"
                raise Malformed(file.name, f"must be what its name says, got bytes as of {other.SUFFIXES[0]}", fix)
    if not content.startswith(chosen.MAGIC):
        problem = f"must begin as files that end in {file.suffix} do, got {content[:8]!r}"
        raise Malformed(file.name, problem, "give it the name of its format, or write it again")
    try:
        table: Table = chosen.read(file.name, content)
    except ModuleNotFoundError as error:
        fix = 'pip install "metastruct[data]", or write CSV or NPZ'
        raise Malformed(file.name, f"needs {error.name} to be read, which is not installed", fix) from None
    return table


def _format(file: Path) -> ModuleType:
    for each in _formats():
        if file.suffix.lower() in each.SUFFIXES:
            return each
    suffix = f"got {file.suffix!r}" if file.suffix else "got none"
    raise Malformed(str(file), f"must end in one of {', '.join(_suffixes())}, {suffix}", "write it as one of these")


@lru_cache
def _formats() -> tuple[ModuleType, ...]:
    """Every module of the package of formats."""
    names = sorted(each.name for each in pkgutil.iter_modules(formats.__path__))
    return tuple(import_module(f"{formats.__name__}.{name}") for name in names)


@lru_cache
def _suffixes() -> tuple[str, ...]:
    return tuple(suffix for each in _formats() for suffix in each.SUFFIXES)


def _bytes(file: Path) -> bytes:
    try:
        size, there = file.stat().st_size, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if not file.is_file():
            raise Malformed(str(file), "must be a file", "remove it")
        if 8 * size > there:  # numbers, their words, and what is made of them
            problem = f"must fit into memory, got {size / 2**30:,.1f} GiB of a machine with {there / 2**30:,.0f}"
            raise Malformed(str(file), problem, "leave out instants or members, or write Parquet")
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from None


def _unreadable(path: Path, error: OSError) -> Malformed:
    reasons = {
        errno.ENOENT: ("must be there, got no such file or folder", "check how it is written"),
        errno.ELOOP: ("must lead to a file, got a loop of links", "remove the links"),
        errno.EACCES: ("must be readable, got no permission", "change its mode"),
        errno.ENOTDIR: ("must be there, got a file in the place of a folder", "check how it is written"),
        errno.ENAMETOOLONG: ("must be the name of a file, got one that is too long", "check how it is written"),
    }
    problem, fix = reasons.get(error.errno or 0, (f"cannot be read ({error.strerror})", "check how it is written"))
    return Malformed(str(path)[:200], problem, fix)


def _signature(file: Path) -> tuple[int, int, int]:
    try:
        there = file.stat()
    except OSError as error:
        raise _unreadable(file, error) from None
    return there.st_size, there.st_mtime_ns, there.st_ino


@lru_cache(maxsize=4096)
def _known_sum(file: Path, *signature: int) -> str:
    """Asked for whenever a configuration is resolved, so read once as long as the file stays."""
    return _sum(_bytes(file))


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(path: Path, files: list[Path], sums: list[str]) -> str:
    """Of a folder with its names, which are those of members."""
    if not path.is_dir():
        return sums[0][:16]
    return _sum("\n".join(_lines(files, sums)).encode())[:16]


def _lines(files: list[Path], sums: list[str]) -> Iterator[str]:
    for file, each in zip(files, sums, strict=True):
        yield f"{each}  {file.name}"
