"""Are the components there, with the settings of their yamls and values of the same types?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from metastruct.config.added import check_class
from metastruct.config.facts import options, settings_of
from metastruct.config.mistakes import closest
from metastruct.config.schema import ConfigError, check_names

KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "a word"}


def check_component(cfg: DictConfig, group: str) -> None:
    """Is the piece one of its group, with the class that its yaml names?"""
    if OmegaConf.is_missing(cfg, group) or not isinstance(cfg[group], DictConfig):
        raise ConfigError(f"{group} is missing; choose {group}= one of {', '.join(options(group))}")
    name = cfg[group].get("name")
    if name not in options(group):
        raise ConfigError(f"{group}.name must be the name of its yaml, got {name!r}; leave it alone")
    check_names(cfg, {group: name})
    check_class(group, name)


def check_fields(cfg: DictConfig, group: str) -> None:
    """Does a group of the schema hold the settings that it has there, and no others?"""
    schema: Any = OmegaConf.get_type(cfg, group)
    names = [setting.name for setting in fields(schema)]
    for key in cfg[group]:
        if key not in names:
            raise ConfigError(f"{group}.{key} is not a setting; {closest(str(key), names)}")
    for key in names:
        if key not in cfg[group] or OmegaConf.is_missing(cfg[group], key):
            raise ConfigError(f"{group}.{key} is missing; choose {group}= one of {', '.join(options(group))}")


def check_types(cfg: DictConfig, *groups: str) -> None:
    """Has every setting of these pieces a value of the type of the default that it replaces?"""
    shadow: Any = OmegaConf.create(OmegaConf.to_container(cfg, resolve=False))
    shadow.rank = None
    for group in groups:
        chosen, shadow[group] = shadow[group], settings_of(group, cfg[group].name)
        _check_types(cfg, group, shadow)
        shadow[group] = chosen


def _check_types(cfg: DictConfig, group: str, shadow: Any) -> None:
    template = shadow[group]
    names = [str(key) for key in template if key not in ("_target_", "name")]
    unknown = [str(key) for key in cfg[group] if key not in template]
    if unknown:
        raise ConfigError(f"{group}.{unknown[0]} is not a setting; {closest(unknown[0], names)}")
    for key, default in _leaves(shadow[group], group):
        try:
            value = OmegaConf.select(cfg, key)
        except OmegaConfBaseException:  # there is something else on the way to it
            value = None
        lists = isinstance(default, (list, ListConfig)) and isinstance(value, (list, ListConfig))
        fits = lists or type(value) in ((int, float) if isinstance(default, float) else (type(default),))
        if default is not None and not fits:
            kind = KINDS.get(type(default), "a list")
            raise ConfigError(f"{key} must be {kind} such as {default}, got {value!r}")


def _leaves(node: DictConfig, path: str) -> Iterator[tuple[str, Any]]:
    for key in map(str, node):
        value = node[key]
        if isinstance(value, DictConfig):
            if OmegaConf.is_interpolation(node, key):
                continue  # follows from another setting
            yield from _leaves(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", value
