"""Lines of the package by what they are for: python scripts/capabilities.py [--since REVISION]

`capabilities.yaml` beside this script is the one place that says it. What it names nowhere is needed by the paper: its
methods, families, learners, metrics and sweeps, the seams that carry them, and what makes a run safe. So a new file
counts there until somebody says which capability it is. With --since, the lines that stood at a revision are counted
beside, as git tells whose they are: of a capability that is new since then there are nearly none.
"""

from __future__ import annotations

import ast
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from metastruct.benchmark.revision import commit_of
from metastruct.runs.arguments import Flags

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "metastruct"
APART = ("paper", "benchmark")  # of this one paper alone, and of no run
NEEDED = "what the paper needs"
TABLE = Path(__file__).with_suffix(".yaml")
Table = Mapping[str, Mapping[str, Any]]


def definitions(text: str) -> Iterator[tuple[str, range]]:
    """Each function, class and method of a module by its name, with its lines from 0, decorators among them."""
    waiting: list[tuple[str, ast.AST]] = [("", ast.parse(text))]
    while waiting:
        prefix, owner = waiting.pop()
        for node in ast.iter_child_nodes(owner):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                first = min(each.lineno for each in (node, *node.decorator_list))
                yield f"{prefix}{node.name}", range(first - 1, node.end_lineno or first)
                if isinstance(node, ast.ClassDef):
                    waiting.append((f"{prefix}{node.name}.", node))


def places(entries: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, Path, range]]:
    """Each entry of a capability, the files that it names, and their lines.

    Raises:
        ValueError: an entry names nothing.
    """
    for place in entries.get("whole", ()):
        files = sorted((folder / place).rglob("*.py")) if place.endswith("/") else [folder / place]
        if not files or not files[0].is_file():
            raise ValueError(f"{place} must be a folder/ or a file of the package, got none; mend {TABLE.name}")
        for path in files:
            yield place, path, range(len(path.read_text().splitlines()))
    for place, names in entries.get("parts", {}).items():
        there = [*definitions((folder / place).read_text())]
        for name in names:
            if name not in [each for each, _ in there]:
                raise ValueError(f"{name} must be a function, a class or a method of {place}; mend {TABLE.name}")
            yield from ((f"{name} of {place}", folder / place, lines) for each, lines in there if each == name)


def owners(table: Table, folder: Path = PACKAGE) -> dict[Path, list[str]]:
    """What each line of each file is for.

    Raises:
        ValueError: an entry of the table names nothing, or what another one has.
    """
    every = {path: [NEEDED] * len(path.read_text().splitlines()) for path in sorted(folder.rglob("*.py"))}
    for capability, entries in table.items():
        for entry, path, lines in places(entries, folder):
            for line in lines:
                if every[path][line] != NEEDED:
                    raise ValueError(f"{entry} must be named once, got it in {every[path][line]!r} as well")
                every[path][line] = capability
    return every


def standing(path: Path, revision: str) -> list[bool]:
    """Which lines of a file stood at a revision, moved or not."""
    words = ["git", "blame", "-s", "-w", "-M", "-C", f"{revision}..HEAD", "--", str(path)]
    lines = subprocess.run(words, cwd=path.parent, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.startswith("^") for line in lines]


def main() -> None:
    """Print the table."""
    parser = Flags(__doc__)
    parser.add_argument("--since", metavar="REVISION", help="count the lines that stood there; takes a minute")
    options = parser.parse_args()
    try:
        revision = options.since and commit_of(options.since)
    except ValueError as error:
        parser.error(str(error))
    table: Table = yaml.safe_load(TABLE.read_text())
    lines, before, files = Counter[str](), Counter[str](), Counter[str]()
    for path, names in owners(table).items():
        place = path.relative_to(PACKAGE)
        if place.parts[0] in APART:
            names = [f"{place.parts[0]}/"] * len(names)
        lines.update(names)
        files.update({*names})
        if revision and names:
            stood = standing(path, revision)
            if len(stood) != len(names):
                parser.error(f"{place} has lines that are not committed; commit them first")
            before.update(name for name, old in zip(names, stood, strict=True) if old)
    for name in (NEEDED, *table, *(f"{room}/" for room in APART)):
        stood_there = f"{before[name]:>6,} stood at {options.since}  " if options.since else ""
        print(f"{lines[name]:>7,} lines  {files[name]:>3} files  {stood_there}{name}")
    counted = sum(lines.values()) - sum(lines[f"{room}/"] for room in APART)
    print(f"{counted:>7,} lines without {' and '.join(APART)}")


if __name__ == "__main__":
    main()
