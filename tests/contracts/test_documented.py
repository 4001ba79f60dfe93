"""What the public functions of the package say: each has a docstring, and every array that it takes a shape."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

import pytest

from metastruct.config.folders import ROOT

ARRAY = re.compile(r"(torch\.)?Tensor|Array|ArrayLike|np\.ndarray")
Classes = Mapping[str, list[ast.ClassDef]]


def classes(trees: Mapping[str, ast.Module]) -> Classes:
    """Every class of some modules, by its name."""
    found: dict[str, list[ast.ClassDef]] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(node)
    return found


def family(kind: ast.ClassDef, known: Classes) -> Iterator[ast.ClassDef]:
    """A class and what it is derived from."""
    yield kind
    for base in kind.bases:
        for parent in known.get(ast.unparse(base).partition("[")[0].rpartition(".")[2], ()):
            if parent is not kind:
                yield from family(parent, known)


def public(
    tree: ast.Module, known: Classes, kind: ast.ClassDef | None = None
) -> Iterator[tuple[str, ast.FunctionDef, str]]:
    """Name, function, and all that is said of it: by itself, by its class, and by those that it overrides."""
    for node in (kind or tree).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public(tree, known, node)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            if any("overload" in ast.unparse(decorator) for decorator in node.decorator_list):
                continue
            said = [ast.get_docstring(node) or ""]
            for parent in [*family(kind, known)][1:] if kind else ():
                said += [ast.get_docstring(each) or "" for each in parent.body if getattr(each, "name", "") == node.name
                         and isinstance(each, ast.FunctionDef)]  # fmt: skip
            yield node.name if kind is None else f"{kind.name}.{node.name}", node, "".join(said)


def silent(trees: Mapping[str, ast.Module]) -> list[str]:
    """The public functions of which nothing is said."""
    known = classes(trees)
    return [f"{place}: {name}" for place, tree in trees.items() for name, _, said in public(tree, known) if not said]


def shapeless(trees: Mapping[str, ast.Module]) -> list[str]:
    """The public functions that take arrays without a word on their shapes, by themselves, their class or module."""
    known = classes(trees)
    found = []
    for place, tree in trees.items():
        around = (ast.get_docstring(tree) or "") + "".join(
            ast.get_docstring(node) or "" for node in tree.body if isinstance(node, ast.ClassDef)
        )
        for name, node, said in public(tree, known):
            arguments = [*node.args.args, *node.args.kwonlyargs]
            kinds = [ast.unparse(each.annotation).removesuffix(" | None") for each in arguments if each.annotation]
            if any(map(ARRAY.fullmatch, kinds)) and "`[" not in said + around:
                found.append(f"{place}: {name}")
    return found


@pytest.fixture(scope="module")
def package() -> dict[str, ast.Module]:
    every = [path for path in sorted(ROOT.rglob("*.py")) if "contracts" not in path.relative_to(ROOT).parts]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in every}


def test_every_public_function_has_a_docstring(package):
    assert silent(package) == []


def test_every_array_has_a_shape(package):
    assert shapeless(package) == []


SPEAKING = """
class Base:
    def area(self, x: Tensor):
        '''Of x `[points]`.'''

class Round(Base):
    def area(self, x: Tensor): ...
    def _hidden(self, x: Tensor): ...

def size(x: Array | None):
    '''Of `[n]`.'''
"""
SILENT = "class Base:\n    def area(self, x: Tensor): ...\n\ndef size(x: np.ndarray):\n    '''How large.'''\n"


def test_what_is_inherited_is_said_and_what_is_not_is_found():
    assert silent({"a": ast.parse(SPEAKING)}) == shapeless({"a": ast.parse(SPEAKING)}) == []
    assert silent({"a": ast.parse(SILENT)}) == ["a: Base.area"]
    assert shapeless({"a": ast.parse(SILENT)}) == ["a: Base.area", "a: size"]
