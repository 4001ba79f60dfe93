"""Names of pieces in the package, outside the pieces' own files: python scripts/names.py [--limit 15]

A piece is a yaml of conf/system, modulation, dynamics, learner, adaptation, net, bracket, integrator, optimizer or
objective; its own file is the module of its `_target_`. What others must know of a piece belongs to its yaml, as facts.

Counted is each string constant of src/, docstrings excepted, that is a name, or in which stands `group=name` or
`name(...)` with a rank or a piece in brackets. A name in a sentence is a word and does not count, so that weights,
gradient and scratch may be spoken of; as a constant of its own it always counts, whatever it was meant for. The text
between the braces of an f-string is its own constants.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
GROUPS = (
    *("system", "modulation", "dynamics", "learner", "adaptation", "net", "bracket", "integrator", "optimizer"),
    "objective",
)


@dataclass(frozen=True)
class Mention:
    """A string constant that names a piece."""

    file: Path
    line: int
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.name} in {' '.join(self.text.split())[:80]!r}"


def pieces(conf: Path) -> dict[str, set[str]]:
    """Every name with the files, relative to the source folder, that may use it."""
    homes: dict[str, set[str]] = {}
    for group in GROUPS:
        for path in sorted((conf / group).glob("*.yaml")):
            module = str(yaml.safe_load(path.read_text()).get("_target_", "")).rpartition(".")[0]
            homes.setdefault(path.stem, set()).add(f"{module.replace('.', '/')}.py")
    return homes


def constants(tree: ast.AST) -> Iterator[ast.Constant]:
    """The string constants that are no docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node


def mentions(source: Path, conf: Path) -> list[Mention]:
    """All of them under a source folder, in the order of files and lines."""
    homes = pieces(conf)
    names = "|".join(sorted(homes, key=len, reverse=True))
    spoken = re.compile(rf"\b(?:{'|'.join(GROUPS)})=({names})\b|(?<![\w.])({names})\((?:\d+|{names})\)")
    found = []
    for path in sorted(source.rglob("*.py")):
        own = path.relative_to(source).as_posix()
        for node in constants(ast.parse(path.read_text())):
            text = str(node.value)
            said = [text] if text in homes else [a or b for a, b in spoken.findall(text)]
            found += [Mention(path, node.lineno, name, text) for name in said if own not in homes[name]]
    return sorted(found, key=lambda mention: (mention.file, mention.line))


def main() -> None:
    """Print each mention and the total."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="exit with 1 where there are more")
    options = parser.parse_args()
    found = mentions(ROOT / "src", ROOT / "conf")
    for mention in found:
        print(str(mention).replace(f"{ROOT}/", ""))
    print(f"{len(found)} names of pieces outside of their own files")
    if options.limit is not None and len(found) > options.limit:
        sys.exit(1)


if __name__ == "__main__":
    main()
