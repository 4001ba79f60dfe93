"""From what a yaml says of a piece to its class: the one place where a `_target_` is imported.

A configuration may come from a stranger's file. So nothing is made but what a yaml of conf/ names, in the group of that
yaml, and of plain values: no other class is imported, no function called, no expression resolved, at any depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from omegaconf import DictConfig, OmegaConf

from metastruct.config.facts import described, options
from metastruct.config.folders import cached, folders
from metastruct.config.mistakes import ConfigError

PLAIN = (str, int, float, bool, type(None))


HINT = "; pieces of your own need their folder, --config-dir or metastruct.add_conf"


class Refused(ConfigError):
    """A configuration asks for something that no yaml of conf/ names."""


@cached
def is_named(target: str, group: str = "*") -> bool:
    """Is this a `_target_` in a yaml of a group, or of any? Only yamls that hold the word are parsed."""
    yamls = (path for folder in folders() for path in folder.glob(f"{group}/*.yaml"))
    holding = (path for path in yamls if target.encode() in path.read_bytes())
    return any(target in _targets(described(path.parent.name, path.stem)) for path in holding)


@cached
def target_of(group: str, name: str) -> str | None:
    """The `_target_` of conf/GROUP/NAME.yaml; None where there is no such yaml, or no class in it."""
    return described(group, name).get("_target_") if name in options(group) else None


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        for value in node.values():
            yield from _targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from _targets(value)


def check_place(group: str, piece: Any) -> None:
    """Is this the piece that its name says, as its group has it, with plain values?

    Raises:
        Refused: names the setting, what was expected and what came.
    """
    if not isinstance(piece, Mapping):
        raise Refused(f"{group} must be the settings of a piece, got {piece!r}")
    name, target = piece.get("name"), piece.get("_target_")
    expected = target_of(group, name) if isinstance(name, str) else None
    if expected is None:
        raise Refused(f"{group}.name must be that of a yaml in conf/{group}, got {name!r}")
    if target != expected:
        raise Refused(f"{group}._target_ must be {expected}, that of {group}={name}, got {target!r}")
    for key, value in piece.items():
        if key != "_target_":
            check_plain(f"{group}.{key}", value, group)


def check_plain(where: str, value: Any, group: str = "*") -> None:
    """Are these plain values, and mappings and lists of such? A piece within them must be one of the group.

    Raises:
        Refused: names the place.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "_target_":
                if not isinstance(inner, str) or not is_named(inner, group):
                    raise Refused(
                        f"{where}._target_ must be a class that conf/ names in its place, got {inner!r}{HINT}"
                    )
            elif not isinstance(key, str) or key.startswith("_"):
                raise Refused(f"{where} may hold names of settings, got {key!r}")
            else:
                check_plain(f"{where}.{key}", inner, group)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            check_plain(f"{where}[{number}]", inner, group)
    elif not isinstance(value, PLAIN):
        raise Refused(f"{where} must be a plain value, got a {type(value).__name__}")
    elif isinstance(value, str) and "${" in value:
        raise Refused(f"{where} must be a plain value, got the expression {value!r}")


def plain(piece: Mapping[str, Any] | DictConfig | None) -> Any:
    """The settings of a piece without anything of OmegaConf."""
    return OmegaConf.to_container(piece, resolve=True) if isinstance(piece, DictConfig) else piece


def factory(piece: Mapping[str, Any] | DictConfig) -> Callable[..., Any]:
    """Makes a piece from the arguments that are still missing; `name` is for people, and so are facts.

    Raises:
        Refused: a class is not named in conf/, or a value is not plain.
    """
    whole = plain(piece)
    settings = {key: value for key, value in whole.items() if key not in ("_target_", "name", "facts")}
    for key, value in settings.items():
        check_plain(key, value)
    return partial(class_of(whole.get("_target_")), **{key: _built(value) for key, value in settings.items()})


def class_of(target: Any) -> Any:
    """The class of a `_target_`.

    Raises:
        Refused: conf/ does not name it, or it is of a package that cannot be imported.
    """
    if not isinstance(target, str) or not is_named(target):
        raise Refused(f"_target_ must be a class that conf/ names, got {target!r}")
    module, _, name = target.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (Exception, SystemExit) as error:  # whatever the module of a user's does when it is imported
        if module.partition(".")[0] == __name__.partition(".")[0]:
            raise
        lost = isinstance(error, ImportError | AttributeError)
        fix = "install its package, or put its folder into PYTHONPATH" if lost else "mend its module"
        reason = f"{'' if lost else f'{type(error).__name__}: '}{error}"
        raise Refused(f"_target_ {target} cannot be imported: {reason}; {fix}") from error


def _built(value: Any) -> Any:
    """The value with the pieces in it made."""
    if isinstance(value, Mapping):
        return factory(value)() if "_target_" in value else {key: _built(inner) for key, inner in value.items()}
    return [_built(inner) for inner in value] if isinstance(value, list | tuple) else value
