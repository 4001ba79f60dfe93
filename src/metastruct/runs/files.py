"""Files that are whole or not there.

Every write goes to a temporary file beside its target and is renamed over it; those that killed processes left are
swept away by the next owner of the folder's lock. Checked files carry the SHA-256 of their content in a side file of
the form that `sha256sum -c` reads; one that was truncated, altered or left without its sum reads as None. What is
damaged is set aside under another name. A folder may come from a stranger: no lock is taken through a link, and
`check_contained` finds what leads out of it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from metastruct.runs.refusals import Unwritten

LOCK, CLAIM = ".lock", ".claim"
DAMAGED = ".damaged"  # the suffix of what was set aside
TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}")
ABANDONED = 60.0  # seconds after which a temporary file is of a process that ended: a write takes milliseconds


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write the file so that a reader sees the old content or the new one, whenever this process is killed.

    Raises:
        Unwritten: names the file, and not the temporary one.
    """
    try:
        _write(path, content)
    except OSError as error:
        raise Unwritten(error.errno, error.strerror, str(path)) from error


def make_folder(path: Path) -> None:
    """Make a folder, and those around it, where they are not there.

    Raises:
        Unwritten: names the first that cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritten(error.errno, error.strerror, error.filename or str(path)) from error


def _write(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():  # a device would be replaced
        raise OSError(errno.EEXIST, "something that is no file is there")
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def set_aside(path: Path) -> Path:
    """Give a damaged file, which is made again, another name, and remove its sum; returns where it is now."""
    names = (path.with_name(f"{path.name}{DAMAGED}{number or ''}") for number in range(1_000))
    place = next((name for name in names if not name.exists()), path.with_name(path.name + DAMAGED))
    os.replace(path, place)
    sum_file(path).unlink(missing_ok=True)
    return place


def sum_file(path: Path) -> Path:
    """Where the checksum of a file is kept."""
    return path.with_name(path.name + ".sha256")


def write_checked(path: Path, content: bytes) -> None:
    """Write the file and its sum; until both are there, the file reads as missing."""
    write_atomically(path, content)
    try:
        write_atomically(sum_file(path), f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")
    except Unwritten:
        path.unlink(missing_ok=True)  # it would be taken for damaged
        raise


def read_checked(path: Path) -> bytes | None:
    """The content, or None where the file is missing, truncated or altered, or larger than the memory."""
    try:
        content = path.read_bytes()
        expected = sum_file(path).read_text().split()[0]
    except (OSError, IndexError, UnicodeDecodeError, MemoryError):
        return None
    return content if hashlib.sha256(content).hexdigest() == expected else None


def check_contained(folder: Path, within: Path | None = None) -> None:
    """Does the folder hold files and folders alone, and no link that leads out of it?

    Args:
        within: a folder around it that links may lead to, and that it must lie in itself.

    Raises:
        ValueError: names the first thing of another kind.
    """
    inside = os.path.realpath(within or folder)  # which does not mind links that go round in a ring
    if not Path(os.path.realpath(folder)).is_relative_to(inside):
        raise ValueError(f"{folder} must lie in its folder, got a link that leads out of it; put a copy there")
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(place, name)
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside):
                raise ValueError(f"{path} must lie in its folder, got a link that leads out of it; put a copy there")
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise ValueError(f"{path} must be a file or a folder, got a pipe or a device")


def clear(folder: Path) -> None:
    """Remove what is in the folder, by whoever holds its lock; locks stay, to hold somebody, and what was set aside."""
    for path in folder.iterdir():
        if path.name in (LOCK, CLAIM) or DAMAGED in path.suffix:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _lock_file(folder: Path, name: str) -> BinaryIO:
    """The folder's lock, open for writing; nothing is written, through a link least of all."""
    make_folder(folder)
    try:
        return open(os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644), "r+b")
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise Unwritten(error.errno, error.strerror, str(folder / name)) from error
        raise ValueError(f"{folder / name} must be a file, got a link; remove it") from None


@contextmanager
def locked(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the folder's lock; the operating system drops it when the process ends, however it ends.

    Args:
        waiting: called once if another process holds it.

    Raises:
        Unwritten: names the file, where the file system has no locks for example.
    """
    with _lock_file(folder, LOCK) as file:
        try:
            _flock(file, folder / LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            _flock(file, folder / LOCK, fcntl.LOCK_EX)
        _sweep(folder)
        yield


def _flock(file: IO[Any], path: Path, how: int) -> None:
    """Take a lock; an error names the file, as on a file system that has none."""
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        raise
    except OSError as error:
        raise Unwritten(error.errno, f"no lock: {error.strerror}", str(path)) from error


def _sweep(folder: Path) -> None:
    """Remove the temporary files of processes that ended in the middle of a write, by whoever holds the lock."""
    for path in folder.glob(".*"):
        if TEMPORARY.fullmatch(path.name):
            with suppress(FileNotFoundError):
                if time.time() - path.lstat().st_mtime > ABANDONED:
                    path.unlink()


@contextmanager
def locked_if_free(folder: Path, name: str = LOCK) -> Iterator[bool]:
    """Hold the folder's lock unless another process does; says whether it is held."""
    with _lock_file(folder, name) as file:
        try:
            _flock(file, folder / name, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def is_locked(folder: Path, name: str = LOCK) -> bool:
    """Does another process hold the folder's lock now?"""
    try:
        with open(folder / name) as file:  # NFS takes a shared lock alone on a file that is open for reading
            _flock(file, folder / name, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def claimed(folder: Path) -> AbstractContextManager[bool]:
    """Claim the folder for a job of a sweep, or learn at once that another process has: gives whether it is ours.

    Beside the lock, which is the run's own; this one also ends with its process.
    """
    return locked_if_free(folder, CLAIM)


def is_claimed(folder: Path) -> bool:
    """Has another process claimed the folder?"""
    return is_locked(folder, CLAIM)
