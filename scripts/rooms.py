"""The rooms of the package and the arrows between them: python scripts/rooms.py [--arrows 80] [--floors 10]

A room is a package of src/metastruct; an arrow goes from a room to another one that any of its modules imports, for
types alone or inside of a function as well. A room stands one floor above the highest that it imports. Rooms that
import each other in a circle share a floor. Ends with 1 where there is a circle, or more than what is allowed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from metastruct.runs.arguments import Flags, counted

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "metastruct"
Arrows = dict[str, dict[str, list[str]]]  # from a room to a room, the modules that import


def imported(tree: ast.AST, package: str) -> Iterator[str]:
    """The dotted names below the package that a module imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            names = [node.module if node.module != package else f"{package}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix(f"{package}.") for name in names if name.startswith(f"{package}."))


def arrows(folder: Path = PACKAGE) -> Arrows:
    """Every arrow between the rooms of a package."""
    rooms = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    every: Arrows = {room: {} for room in rooms}
    for room in rooms:
        for path in sorted((folder / room).rglob("*.py")):
            for name in imported(ast.parse(path.read_text()), folder.name):
                other = name.partition(".")[0]
                if other != room and other in every:
                    every[room].setdefault(other, []).append(str(path.relative_to(folder)))
    return every


def reached(room: str, every: Mapping[str, Mapping[str, object]]) -> set[str]:
    """The rooms that a room imports, or that those import."""
    seen: set[str] = set()
    waiting = [*every[room]]
    while waiting:
        other = waiting.pop()
        if other not in seen:
            seen.add(other)
            waiting += every[other]
    return seen


def circles(every: Mapping[str, Mapping[str, object]]) -> list[list[str]]:
    """The rooms that import each other, round about."""
    below = {room: reached(room, every) for room in every}
    groups = {tuple(sorted(other for other in below[room] if room in below[other])) for room in every}
    return [[*group] for group in sorted(groups) if group]


def floors(every: Mapping[str, Mapping[str, object]]) -> list[list[str]]:
    """The rooms of each floor, the lowest first."""
    below = {room: reached(room, every) for room in every}
    levels: list[list[str]] = []
    rest = {*every}
    while rest:
        level = [room for room in sorted(rest) if all(room in below[other] for other in below[room] & rest)]
        levels.append(level)
        rest -= {*level}
    return levels


def main() -> None:
    """Print the floors, and say what is too much."""
    parser = Flags(__doc__)
    parser.add_argument("--arrows", type=counted(0), help="exit with 1 where there are more")
    parser.add_argument("--floors", type=counted(0), help="exit with 1 where there are more")
    options = parser.parse_args()
    every = arrows()
    levels, count = floors(every), sum(map(len, every.values()))
    for number, level in reversed([*enumerate(levels)]):
        for room in level:
            print(f"{number}  {room:<12} imports {', '.join(sorted(every[room])) or 'nothing'}")
    rounds = circles(every)
    print(f"{len(every)} rooms, {count} arrows, {len(levels)} floors, {len(rounds)} circles")
    for group in rounds:
        print(f"in a circle: {', '.join(group)}")
    limits = ((count, options.arrows), (len(levels), options.floors))
    if rounds or any(limit is not None and number > limit for number, limit in limits):
        sys.exit(1)


if __name__ == "__main__":
    main()
