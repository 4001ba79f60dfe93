"""Records that are made cell by cell, kept at once, and merged where cells were made beside each other."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metastruct.config.facts import options
from metastruct.runs.arguments import counted, existing, numbered, placed
from metastruct.runs.files import write_atomically
from metastruct.runs.provenance import git_commit, sign
from metastruct.runs.tables import as_csv

Row = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]


def arguments(parser: argparse.ArgumentParser, folder: Path) -> None:
    """Where records go, and which are taken in."""
    parser.add_argument("--folder", type=placed(), default=folder, help="of the records; others go beside each other")
    parser.add_argument("--merge", nargs="+", type=existing, default=[], help="folders whose records replace these")
    parser.add_argument("--made-at", default="", help="the commit of merged records that were made outside a checkout")


def of_study(parser: argparse.ArgumentParser) -> None:
    """Which cells of a study of `sizes` are made."""
    parser.add_argument("--only", nargs="+", help="names of cells, or how they begin")
    parser.add_argument("--outputs", type=placed(), default="outputs")
    parser.add_argument("--list", action="store_true")


def of_coverage(parser: argparse.ArgumentParser, folder: Path, trained: Sequence[float], shots: Sequence[int]) -> None:
    """Which cells of bars or bands are counted: `trained` and `shots` by default."""
    where = f"for the records; {folder.relative_to(ROOT)}/SYSTEM by default, with a seed but 0 SYSTEM-seedSEED"
    parser.add_argument("--members", type=counted(), default=400)
    parser.add_argument("--trained", nargs="+", type=numbered(), default=trained, help="noise of the training")
    parser.add_argument("--shots", nargs="+", type=counted(), default=shots)
    parser.add_argument("--system", choices=options("system"), default="pendulum")
    parser.add_argument("--seed", type=counted(0), default=0, help="of the trainings")
    parser.add_argument("--outputs", type=placed(), default=str(ROOT / "outputs"))
    parser.add_argument("--folder", type=placed(), help=where)


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
