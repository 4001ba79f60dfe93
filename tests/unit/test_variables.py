"""A variable is a noun of its concept: no pronoun and no participle that could stand for anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from metastruct.config.facts import CONF

SOURCE = CONF.parent / "src"
PRONOUNS = {
    *(
        "it",
        "them",
        "they",
        "their",
        "theirs",
        "ours",
        "yours",
        "mine",
        "own",
        "this",
        "that",
        "these",
        "those",
        "such",
    ),
    *("who", "whom", "whose", "what", "of", "another", "some", "others", "something", "everything"),
}
SETTING = "config/schema.py", "known"  # a word of command lines
PARTICIPLES = {
    *("told", "found", "known", "said", "asked", "wanted", "given", "taken", "made", "done", "seen", "gone", "got"),
    *("needed", "had", "been", "being"),
}


def bound(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of everything that a file binds: variables, attributes, arguments."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.ExceptHandler(name=str(name)):
                yield node.lineno, name


def empty(code: str) -> list[tuple[int, str]]:
    """The names that say nothing, with or without an underscore before them, and where."""
    refused = PRONOUNS | PARTICIPLES
    return [(line, name) for line, name in bound(ast.parse(code)) if name.lower().strip("_") in refused]


@pytest.mark.parametrize(
    "code",
    ["found = 1", "own: int = 1", "def f(of): ...", "def f(*told): ...", "for known in x: ...", "[0 for those in x]",
     "lambda wanted: 0", "with f() as ours: ...", "self.done = 1", "(what := 1)", "a, (b, *others) = x", "_found += 1",
     "try: ...\nexcept E as it: ...", "match x:\n    case [made, *_]: ...", "OWN = 1"],
)  # fmt: skip
def test_a_pronoun_or_a_participle_is_refused_wherever_it_is_bound(code):
    assert len(empty(code)) == 1


@pytest.mark.parametrize(
    "code", ["x.found()", "results = known", "f(of=1)", "import found", "foundation = 1", "'told'"]
)
def test_what_is_only_read_is_the_business_of_others(code):
    assert empty(code) == []


def test_variables_of_the_package_are_nouns():
    refused = [
        f"{path.relative_to(SOURCE)}:{line} {name}"
        for path in sorted(SOURCE.rglob("*.py"))
        for line, name in empty(path.read_text())
        if not (str(path).endswith(SETTING[0]) and name == SETTING[1])
    ]
    assert not refused, "\n".join(refused)
