"""What a script is told on its command line: a mistake is answered in one line, before anything is made or written."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from metastruct.runs.refusals import check_place


class Flags(argparse.ArgumentParser):
    """A parser of words whose help is the text of the script.

    Args:
        text: of the script.
    """

    def __init__(self, text: str | None):
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(description=text, formatter_class=formatter, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Say what was wrong in one line, and end with 2."""
        print(f"error: {' '.join(message.split())}; --help shows what there is", file=sys.stderr)
        raise SystemExit(2)


def counted(least: int = 1, most: int = 10**9) -> Callable[[str], int]:
    """The type of a flag that takes a whole number."""

    def read(text: str) -> int:
        if not text.lstrip("-").isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, got {text!r}")
        return int(text)

    return read


def numbered(least: float = 0.0, most: float = 1e9) -> Callable[[str], float]:
    """The type of a flag that takes a number."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be a number from {least:g} to {most:g}, got {text!r}")
        return value

    return read


def placed(is_folder: bool = True) -> Callable[[str], Path]:
    """The type of a flag that says where results go."""

    def read(text: str) -> Path:
        if not text.strip():
            raise argparse.ArgumentTypeError(f"must be a {'folder' if is_folder else 'file'}, got {text!r}")
        path = Path(os.path.expanduser(text))  # which leaves a home that nobody has as it is
        try:
            check_place("it", path, is_folder)
        except (ValueError, OSError) as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return path

    return read


def existing(text: str) -> Path:
    """The type of a flag that names a file or a folder that is there."""
    path = Path(os.path.expanduser(text))
    try:
        exists = bool(text.strip()) and path.exists()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise argparse.ArgumentTypeError(f"must be there, got {text[:80]!r}, which is not")
    return path
