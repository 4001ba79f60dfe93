"""CSV: text in UTF-8, a header, one row a line; commas, semicolons, tabs or bars between columns, decimal points."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import pairwise

from metastruct.data.tables.malformed import Malformed, said
from metastruct.data.tables.table import Table

SUFFIXES = (".csv", ".tsv", ".txt")
MAGIC = b""
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read(file: str, content: bytes) -> Table:
    """The table of the bytes of a file.

    Raises:
        Malformed: names line, column and fix.
    """
    text, notes = _text(file, content)
    separator = _separator(file, text)
    if separator != ",":
        notes.append(f"{file}: columns are separated by a {SEPARATORS[separator]}")
    rows, lines, blank = [], [], []
    for line, row in _rows(file, text, separator):
        if not any(cell.strip() for cell in row) and len(row) < 2:
            blank.append(line)
            continue
        rows.append(row)
        lines.append(line)
    names = _header(file, rows[0], lines[0])
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(names):
            fix = "write as many cells in every row, and decimal points in numbers"
            raise Malformed(file, f"must have {len(names)} cells as the header, got {len(row)}", fix, f"line {line}")
    if blank:
        notes.append(f"{file}: {len(blank)} blank lines are left out, the first is line {blank[0]}")
    columns = list(zip(*rows[1:], strict=True)) or [()] * len(names)
    return Table(file, dict(zip(names, columns, strict=True)), lines[1:], tuple(notes))


def _text(file: str, content: bytes) -> tuple[str, list[str]]:
    notes = []
    if content.startswith(UTF16):
        raise Malformed(file, "must be text in UTF-8, got UTF-16", "save it as CSV UTF-8")
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
        notes.append(f"{file}: a byte order mark in front is left out")
    if (first := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, first) + 1
        raise Malformed(file, "must be text, got a zero byte", "save it as CSV UTF-8", f"line {line}")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, byte = content.count(b"\n", 0, error.start) + 1, content[error.start]
        raise Malformed(
            file, f"must be text in UTF-8, got the byte {byte:#04x}", "save it as CSV UTF-8", f"line {line}"
        ) from None
    if not text.strip():
        raise Malformed(file, "must have a header and rows, got an empty file", "write one row an instant")
    return text, notes


def _separator(file: str, text: str) -> str:
    """What stands most often between the words of the header."""
    header = next(line for line in text.splitlines() if line.strip())
    if header.lstrip().startswith("#"):
        problem = f"must begin with the names of its columns, got the comment {said(header)}"
        raise Malformed(file, problem, "leave comments out, and the # in front of the names", "line 1")
    counts = {separator: header.count(separator) for separator in SEPARATORS}
    best = max(counts, key=lambda separator: counts[separator])
    if not counts[best] and len(header.split()) > 1:
        problem = f"must have a separator between columns, got {said(header)}"
        raise Malformed(file, problem, "write commas between them", "line 1")
    return best


def _rows(file: str, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line where it begins."""
    reader, line = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fix = "close every quote that is opened, and double those inside"
            raise Malformed(file, f"cannot be split into cells ({error})", fix, f"line {line}") from None
        yield line, row
        line = reader.line_num + 1


def _header(file: str, row: list[str], line: int) -> list[str]:
    names = [name.strip() for name in row]
    if all(_is_number(name) for name in names):
        problem = f"must begin with the names of its columns, got the numbers {said(','.join(names))}"
        raise Malformed(file, problem, "write a header", f"line {line}")
    if "" in names:
        problem = f"must name every column, got no name for number {names.index('') + 1}"
        raise Malformed(file, problem, "write its name, or leave the column out", f"line {line}")
    for first, second in pairwise(sorted(names)):
        if first == second:
            raise Malformed(file, "is there twice", "keep one, or rename it", f"line {line}", first)
    return names


def _is_number(name: str) -> bool:
    try:
        float(name.replace(",", "."))
    except ValueError:
        return False
    return True
