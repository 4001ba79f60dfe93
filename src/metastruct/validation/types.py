"""Are the components there, with the settings of their yamls and values of the same types?"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from omegaconf import DictConfig, OmegaConf

from metastruct.config import CONF, ConfigError, closest, groups

KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "a word"}


def check_component(cfg: DictConfig, group: str) -> None:
    options = groups()[group]
    if OmegaConf.is_missing(cfg, group) or not isinstance(cfg[group], DictConfig):
        raise ConfigError(f"{group} is missing; choose {group}= one of {', '.join(options)}")
    if cfg[group].get("name") not in options:
        raise ConfigError(f"{group}.name must be the name of its yaml, got {cfg[group].get('name')!r}; leave it alone")
    try:
        _importable(cfg[group]._target_)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{group}._target_ must be the path of a class, got {cfg[group]._target_!r}: {error}"
        ) from None


def _importable(path: str) -> None:
    """Is there a module of that name? Found without importing it, for torch takes seconds."""
    module = path.rpartition(".")[0]
    if not module or find_spec(module) is None:
        raise ImportError(f"no module {module!r}")


def check_types(cfg: DictConfig, group: str) -> None:
    template = OmegaConf.load(CONF / group / f"{cfg[group].name}.yaml")
    assert isinstance(template, DictConfig)
    template.pop("defaults", None)
    shadow: Any = OmegaConf.create(OmegaConf.to_container(cfg, resolve=False))
    shadow.rank = None
    shadow[group] = template
    known = [str(key) for key in template if key not in ("_target_", "name")]
    unknown = [str(key) for key in cfg[group] if key not in template]
    if unknown:
        raise ConfigError(f"{group}.{unknown[0]} is not a setting; {closest(unknown[0], known)}")
    for key, default in _leaves(shadow[group], group):
        value = OmegaConf.select(cfg, key)
        fits = type(value) in ((int, float) if isinstance(default, float) else (type(default),))
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
