"""What the system refused: no room, no permission, no such place, said in one line.

What could not be written is told from what a user named wrongly, for the first is the machine's failure.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryFile

ROOM = (errno.ENOSPC, errno.EDQUOT)
FAILURES = (*ROOM, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EFBIG, errno.ECHILD)
FIXES = {
    **dict.fromkeys(ROOM, "make room, and the same command goes on"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "close other programs, and the same command goes on"),
    **dict.fromkeys((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP), "put outputs= on a file system that has locks"),
    **dict.fromkeys((errno.EROFS, errno.EACCES), "name a place that can be written to"),
    errno.EFBIG: "raise the limit of a file's size, ulimit -f, and the same command goes on",
    errno.ENOENT: "check how it is written",
}


class Unwritten(OSError):
    """A file or a folder that the system did not let be written; its name is that of the user's."""


def status_of(error: OSError) -> int:
    """The exit code: 1 where the machine failed, 2 where a word named what is not there."""
    return 1 if isinstance(error, Unwritten) or error.errno in FAILURES else 2


def in_words(error: OSError) -> str:
    """What the system refused, in one line: where, why, what to do."""
    place = error.filename if error.filename2 is None else error.filename2
    if error.strerror is None:
        return " ".join(str(error).split())
    reason = error.strerror[:1].lower() + error.strerror[1:]
    words, fix = f"{place} cannot be used", "name another place"
    if place is None:
        words, fix = "the system refuses", "mend that, and the same command goes on"
    return f"{words}: {reason}; {FIXES.get(error.errno or 0, fix)}"


def check_place(key: str, path: Path, is_folder: bool) -> None:
    """May a folder, or a file, be made or replaced here?

    Args:
        key: what the user calls the place.

    Raises:
        ValueError: something else is there or on the way, or nobody may write there.
        Unwritten: there is no room.
    """
    there = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
    if not there.exists():
        raise ValueError(f"{key} must not lead to nowhere, got {path}, and {there.name} is such a link; name another")
    kind, right = ("folder", path.is_dir()) if is_folder else ("file", path.is_file())
    if there == path and not right:
        raise ValueError(f"{key} must be a {kind}, got {path}, which is none; name another")
    if there != path and not there.is_dir():
        raise ValueError(f"{key} must be a place in a folder, got {path}, and {there.name} is none; name another")
    try:  # what root may do, and what a file system can, nothing else tells; it leaves nothing
        with TemporaryFile(dir=there if there.is_dir() else there.parent):
            writable = os.access(there, os.W_OK)
    except OSError as error:
        if error.errno in ROOM:
            raise Unwritten(error.errno, error.strerror, str(path)) from None
        writable = False
    if not writable:
        raise ValueError(f"{key} must be a place that can be written to, got {path}; name another")
