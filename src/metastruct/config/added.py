"""The pieces of folders that a user added: is each yaml one, and its class what its group asks for?

What MetaStruct brings along is held to this by its tests. The class that the pieces of a group are derived from is the
one that MetaStruct's own have in common, the most general one: a group may have one piece alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from metastruct.config.facts import described, facts_of
from metastruct.config.folders import CONF, cached, folders, yaml_of
from metastruct.config.mistakes import ConfigError
from metastruct.config.pieces import class_of
from metastruct.config.schema import COMPONENTS

CLASSED = (*COMPONENTS, "metric")  # the groups whose pieces have classes


def check_added() -> None:
    """Can every yaml of the folders that were added be read, and does it say what a piece has to?

    Raises:
        ConfigError: names the first that cannot, or does not.
    """
    for folder in folders()[1:]:
        for path in sorted(folder.glob("*/*.yaml")):
            _check_described(path.parent.name, path.stem)


def _check_described(group: str, name: str) -> None:
    content, path = described(group, name), yaml_of(group, name)
    facts_of(group, name)
    if group not in CLASSED:
        return
    if content.get("name") != name:
        raise ConfigError(f"{path} must say name: {name}, got {content.get('name')!r}; write it so, or rename the file")
    if not isinstance(content.get("_target_"), str):
        raise ConfigError(f"{path} must say _target_: package.module.Class, got {content.get('_target_')!r}")


def check_class(group: str, name: str) -> None:
    """Can the class of a piece be imported, is it one of its group, and does it take its settings?

    Nothing is imported where the class is MetaStruct's own.

    Raises:
        ConfigError: says what is the matter with it.
    """
    content = described(group, name)
    if content["_target_"].startswith(f"{__name__.partition('.')[0]}.") and yaml_of(group, name).is_relative_to(CONF):
        return
    kind, base = class_of(content["_target_"]), base_of(group)
    where = f"{yaml_of(group, name)} names {content['_target_']}, which"
    if not (isinstance(kind, type) and issubclass(kind, base)):
        raise ConfigError(f"{where} is no {base.__name__}; derive it from {base.__module__}.{base.__name__}")
    if lacking := sorted(getattr(kind, "__abstractmethods__", ())):
        raise ConfigError(f"{where} lacks {', '.join(lacking)}; {base.__module__}.{base.__name__} says what they do")
    settings = [key for key in content if key not in ("_target_", "name", "facts", "defaults")]
    if strangers := [setting for setting in settings if not _takes(kind, setting)]:
        raise ConfigError(f"{where} takes no {strangers[0]}; leave it out of the yaml, or give it that argument")


@cached
def base_of(group: str) -> type:
    """The class that all of MetaStruct's own pieces of a group are derived from, the most general one of several."""
    kinds = [class_of(described(group, path.stem)["_target_"]) for path in sorted((CONF / group).glob("*.yaml"))]
    package = f"{__name__.partition('.')[0]}."
    every = [kind for kind in kinds[0].__mro__ if kind.__module__.startswith(package)]
    return [base for base in every if all(issubclass(kind, base) for kind in kinds)][-1]


def _takes(kind: type, setting: str) -> bool:
    parameters: Mapping[str, Any] = inspect.signature(kind).parameters
    return setting in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
