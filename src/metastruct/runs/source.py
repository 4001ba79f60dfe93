"""The source of a piece and of all that it imports: what a key holds of a user's own law: an edit is another law.

Modules are found as Python finds them, and read. An installed library does not count, wherever it is installed, nor
what cannot be found because a package around it ends in an error.
"""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
INSTALLED = {"site-packages", "dist-packages"}  # also of another environment, on the path of this one
PACKAGE = __name__.partition(".")[0]


def sources(first: Mapping[str, str], without: str | None = None) -> dict[str, str]:
    """These sources of modules, then those of what they import, by name.

    Args:
        without: a package that does not count.
    """
    texts, waiting = dict(first), [*first]
    while waiting:
        name = waiting.pop(0)
        for other in _imports(texts[name], _package(name)):
            counts = other not in texts and other.partition(".")[0] != without
            if counts and (path := _written(other)) is not None:
                texts[other] = path.read_text()
                waiting.append(other)
    return texts


def foreign(piece: Any) -> dict[str, str]:
    """The sources of the classes of a piece, at any depth, that are none of this package, by module."""
    texts: dict[str, str] = {}
    for target in _targets(piece):
        module, _, name = target.rpartition(".")
        if module.partition(".")[0] != PACKAGE:
            texts |= _as_imported(module, getattr(sys.modules.get(module), name, None))
    return texts


@cache
def _as_imported(module: str, kind: object) -> dict[str, str]:
    """Read once for each class: an edit while a process runs is not what that process runs."""
    path = _written(module)
    return {} if path is None else sources({module: path.read_text()}, without=PACKAGE)


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("_target_"), str):
            yield node["_target_"]
        for value in node.values():
            yield from _targets(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _targets(value)


def _imports(source: str, package: str) -> Iterator[str]:
    """The modules that a source may import, in order."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


def _package(name: str) -> str:
    """What the relative imports of a module begin at; empty where there is nothing."""
    try:
        spec = find_spec(name)
    except Exception:  # of whatever stands in the packages around it
        return ""
    return "" if spec is None else spec.parent or ""


def _written(name: str) -> Path | None:
    """The file of a module that is none of an installed library, or None."""
    try:
        spec = find_spec(name)
    except Exception:  # of whatever stands in the packages around it
        return None
    origin = None if spec is None else spec.origin
    if not origin or not origin.endswith(".py") or origin.startswith(LIBRARIES) or INSTALLED & {*Path(origin).parts}:
        return None
    return Path(origin)
