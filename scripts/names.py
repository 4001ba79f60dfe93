"""Names of pieces in the package, outside the pieces' own files: python scripts/names.py [--limit 15]

A piece is a yaml of one of GROUPS; its own file is the module of its `_target_`. What others must know of a piece
belongs to its yaml, as facts. Counted is every name in every string constant of src/, sentences of errors, reports and
usage included, and every one of an f-string between its braces.

Not counted: docstrings and comments; a constant that is an identifier of the same file, such as the field `derivatives`
of an observation, which means that; in sentences, the names that are WORDS of English or of the science, unless their
group stands before them (`group=name`) or a rank or a piece behind them (`svd(5)`); names of tables, localities and
loggers, which are no classes.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from metastruct.runs.arguments import Flags, counted

ROOT = Path(__file__).resolve().parents[1]
GROUPS = (
    *("system", "start", "data", "modulation", "dynamics", "learner", "adaptation", "net", "bracket", "integrator"),
    *("optimizer", "objective", "metric", "launcher", "known", "encoder"),
)
WORDS = {
    *("shift", "weights", "gradient", "descent", "scratch", "pretrained", "hamiltonian", "generic", "unstructured"),
    *("separable", "given", "simulated", "files", "derivatives", "rollout", "weak", "sequential", "ray", "bodies"),
}


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


def identifiers(tree: ast.AST) -> set[str]:
    """The names of the variables, attributes and arguments of a file."""
    kinds = {ast.Name: "id", ast.Attribute: "attr", ast.arg: "arg", ast.keyword: "arg"}
    return {str(getattr(node, kinds[type(node)])) for node in ast.walk(tree) if type(node) in kinds}


def mentions(source: Path, conf: Path) -> list[Mention]:
    """All of them under a source folder, in the order of files and lines."""
    homes = pieces(conf)
    names = "|".join(sorted(homes, key=len, reverse=True))
    certain = "|".join(sorted({*homes} - WORDS, key=len, reverse=True)) or "(?!)"
    spoken = re.compile(
        rf"\b(?:{'|'.join(GROUPS)})=({names})\b|(?<!\w)({names})\((?:\d+|{names})\)|(?<!\w)({certain})(?!\w)"
    )
    mentioned = []
    for path in sorted(source.rglob("*.py")):
        file, tree = path.relative_to(source).as_posix(), ast.parse(path.read_text())
        variables = identifiers(tree)
        for node in constants(tree):
            text = str(node.value)
            if text in variables:
                continue
            spelled = [text] if text in homes else ["".join(groups) for groups in spoken.findall(text)]
            mentioned += [Mention(path, node.lineno, name, text) for name in spelled if file not in homes[name]]
    return sorted(mentioned, key=lambda mention: (mention.file, mention.line))


def main() -> None:
    """Print each mention and the total."""
    parser = Flags(__doc__)
    parser.add_argument("--limit", type=counted(0), help="exit with 1 where there are more")
    options = parser.parse_args()
    mentioned = mentions(ROOT / "src", ROOT / "conf")
    for mention in mentioned:
        print(str(mention).replace(f"{ROOT}/", ""))
    print(f"{len(mentioned)} names of pieces outside of their own files")
    if options.limit is not None and len(mentioned) > options.limit:
        sys.exit(1)


if __name__ == "__main__":
    main()
