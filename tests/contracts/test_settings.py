"""Every setting of a yaml is read by its class, and every setting of the schema by the machinery: none does nothing."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import metastruct
from metastruct.config.facts import in_order, options, settings_of
from metastruct.config.pieces import class_of
from metastruct.config.schema import COMPONENTS, Config

ROOT = Path(metastruct.__file__).parent
PIECES = [(group, option) for group in COMPONENTS for option in options(group)]


@cache
def loads() -> dict[str, set[str]]:
    """Of each attribute that is read in the package: the classes that read it of themselves, "" for anybody else."""
    found: dict[str, set[str]] = {}
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        inside = {
            id(node): each.name for each in ast.walk(tree) if isinstance(each, ast.ClassDef) for node in ast.walk(each)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                of_itself = isinstance(node.value, ast.Name) and node.value.id == "self"
                found.setdefault(node.attr, set()).add(inside.get(id(node), "") if of_itself else "")
    return found


def related(kind: type) -> set[str]:
    """The names of a class, of what it is derived from and of what is derived from those."""
    family = {base for base in kind.__mro__ if base is not object}
    while (
        more := {sub for base in family if base.__module__.startswith("metastruct") for sub in base.__subclasses__()}
        - family
    ):
        family |= more
    return {each.__name__ for each in family}


def is_read(kind: type, setting: str) -> bool:
    """Does a setting of a constructor have a use: there, as the attribute that it becomes, or in what it goes to?"""
    for place, base in enumerate(kind.__mro__[:-1]):
        if is_dataclass(base) and setting in getattr(base, "__annotations__", {}):
            return attribute_is_read(kind, setting)
        made = vars(base).get("__init__")
        if made is None or base.__module__ == "typing":
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(made)))
        if setting in inspect.signature(made).parameters:
            return any(_used(tree, setting, kind, kind.__mro__[place + 1 :]))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            if any(word.arg is None for word in call.keywords):  # MLP(..., **settings)
                made_there = getattr(sys.modules[base.__module__], call.func.id)
                return isinstance(made_there, type) and is_read(made_there, setting)
    return False


def _used(tree: ast.AST, setting: str, kind: type, bases: tuple[type, ...]) -> Iterator[bool]:
    """Of each place where a constructor names a setting: is it a use?"""
    kept: dict[int, str] = {}  # names whose value becomes an attribute, by the node
    passed: dict[int, str] = {}  # or an argument of the base class
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = (
                    zip(target.elts, node.value.elts, strict=True)
                    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                    else [(target, node.value)]
                )
                for left, right in pairs:
                    if isinstance(left, ast.Attribute):
                        kept |= {id(inner): left.attr for inner in ast.walk(right)}
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
            passed |= {id(word.value): str(word.arg) for word in node.keywords}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id == setting:
            if id(node) in kept:
                yield attribute_is_read(kind, kept[id(node)])
            elif id(node) in passed:
                yield any(is_read(base, passed[id(node)]) for base in bases[:1])
            else:
                yield True


def attribute_is_read(kind: type, attribute: str) -> bool:
    return bool(loads().get(attribute, set()) & {"", *related(kind)})


@pytest.mark.parametrize(("group", "option"), PIECES)
def test_every_setting_of_a_yaml_is_read_by_its_class(group, option):
    settings: Any = settings_of(group, option)
    kind = class_of(settings["_target_"])
    unread = [str(key) for key in settings if key not in ("_target_", "name") and not is_read(kind, str(key))]
    assert not unread, f"{kind.__name__} does nothing with {unread}"


@pytest.mark.parametrize("name", in_order("metric"))
def test_every_setting_of_a_metric_is_read_by_its_class(name):
    own = {key: value for key, value in settings_of("metric", name).items() if key not in ("_target_", "name")}
    assert all(is_read(class_of(settings_of("metric", name)["_target_"]), key) for key in own), own


def test_every_setting_of_the_schema_is_read_by_the_machinery():
    hints = get_type_hints(Config)
    groups = {each.name: hints[each.name] for each in fields(Config) if each.name not in COMPONENTS}
    settings = [
        (group, each.name)
        for group, kind in groups.items()
        if hasattr(kind, "__dataclass_fields__")
        for each in fields(kind)
    ]
    unread = [f"{group}.{name}" for group, name in settings if name != "name" and "" not in loads().get(name, set())]
    assert len(settings) > 15
    assert not unread


class Careless:
    """Keeps a setting that nobody reads, and passes on another that is not read either."""

    def __init__(self, forgotten_rate: float, width: int):
        self.forgotten_rate, self.size = forgotten_rate, [0] * width
        if width < 1:
            raise ValueError


class Heir(Careless):
    def __init__(self, another_rate: float, ignored: int, bound: int):
        super().__init__(forgotten_rate=another_rate, width=bound)


@pytest.mark.parametrize(
    ("kind", "setting", "read"),
    [(Careless, "forgotten_rate", False), (Careless, "width", True), (Heir, "another_rate", False),
     (Heir, "ignored", False), (Heir, "bound", True)],
)  # fmt: skip
def test_a_setting_that_does_nothing_is_seen(kind, setting, read):
    assert is_read(kind, setting) == read
