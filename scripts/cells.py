"""Records that are made cell by cell, kept at once, and merged where cells were made beside each other."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metastruct.runs.arguments import existing, placed
from metastruct.runs.files import write_atomically
from metastruct.runs.provenance import git_commit, sign
from metastruct.runs.tables import as_csv

Row = dict[str, Any]


def arguments(parser: argparse.ArgumentParser, folder: Path) -> None:
    """Where records go, and which are taken in."""
    parser.add_argument("--folder", type=placed(), default=folder, help="of the records; others go beside each other")
    parser.add_argument("--merge", nargs="+", type=existing, default=[], help="folders whose records replace these")
    parser.add_argument("--made-at", default="", help="the commit of merged records that were made outside a checkout")


def kept(options: argparse.Namespace, key: Sequence[str]) -> list[Row]:
    """The rows of the folders to be merged, and of cells that are not there those of the folder itself.

    Args:
        key: columns that tell cells apart.
    """
    rows, unknown = list[Row](), options.made_at[:12] or "unknown"
    for folder in (*options.merge, options.folder):
        place, cells = folder / "records.csv", {tuple(row[name] for name in key) for row in rows}
        new = [*csv.DictReader(place.open(newline=""))] if place.exists() else []
        for row in new:
            if tuple(row[name] for name in key) not in cells:
                rows.append(row | {"commit": unknown if row["commit"] == "unknown" else row["commit"]})
    return rows


def commit() -> str:
    """Of this checkout, in short, with what says that it has changed since."""
    name, dash, dirty = git_commit().partition("-")
    return name[:12] + dash + dirty


def write(folder: Path, rows: Sequence[Row], table: str) -> None:
    """All records so far, a table of them and what made them: this script."""
    write_atomically(folder / "records.csv", as_csv(rows))
    write_atomically(folder / "table.md", table)
    sign(folder, [f"scripts/{Path(sys.argv[0]).name}", *sys.argv[1:]])
