"""What the yamls of conf/ may compute, such as `${metastruct.preferred:net.depth,3}`, resolved with a configuration."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from metastruct.config.facts import facts_of, options, settings_of
from metastruct.config.mistakes import closest
from metastruct.config.pieces import class_of


def register_resolvers() -> None:
    """Make them known to OmegaConf, under names that no application has; harmless when repeated."""
    for resolver in (
        *(given, where, preferred, systems_named, one_or_several, content_of),
        *(temporary_folder, tracking_mode),
    ):
        OmegaConf.register_new_resolver(f"metastruct.{resolver.__name__}", resolver, replace=True)


def given(value: Any, default: Any) -> Any:
    """A value, or a default where it is null."""
    return default if value is None else value


def where(value: Any, choice: Any, yes: Any, no: Any) -> Any:
    """The first of two defaults where a value is the choice, else the second."""
    return yes if value == choice else no


def systems_named(domains: Any) -> DictConfig:
    """The settings of these systems, each as its yaml has them; `{name: settings}` instead of a name changes some.

    Raises:
        ValueError: there is no such yaml, it has no such setting, or it is several families itself.
    """
    if not isinstance(domains, ListConfig):
        raise ValueError(f"system.domains must be a list such as [{', '.join(options('system')[:2])}], got {domains!r}")
    families: dict[str, Any] = {}
    for entry in domains:
        name, changes = _named(entry)
        if name not in options("system"):
            raise ValueError(f"system.domains names {name!r}, which is not known; {closest(name, options('system'))}")
        settings: Any = settings_of("system", name)
        if "domains" in settings:
            raise ValueError(f"system.domains names {name}, which is several families; name those instead")
        del settings["name"]
        OmegaConf.set_struct(settings, True)
        try:
            families[name] = OmegaConf.to_container(OmegaConf.merge(settings, changes))
        except OmegaConfBaseException as error:
            parts = {str(key): value for key, value in settings.items() if isinstance(value, DictConfig)}
            keys = [f"{key}.{inner}" for key, value in parts.items() for inner in map(str, value)]
            raise ValueError(
                f"system.domains: {name} has no setting {error.full_key}; {closest(str(error.full_key), keys)}"
            ) from None
    return OmegaConf.create(families)  # a plain dict could not be put in the place of its interpolation


def _named(entry: Any) -> tuple[str, Any]:
    """Name and changed settings of an entry of system.domains."""
    if isinstance(entry, DictConfig) and len(entry) == 1:
        ((name, changes),) = entry.items()
        if isinstance(changes, DictConfig):
            return str(name), changes
    if not isinstance(entry, str):
        raise ValueError(f"system.domains holds names and {{name: {{setting: value}}}}, got {entry}")
    return entry, {}


def one_or_several(one: Any, several: Any, *, _root_: DictConfig) -> Any:
    """The first of two defaults, or the second where the system is several families."""
    return several if "domains" in (_root_.get("system") or {}) else one


def preferred(setting: str, default: Any, *, _root_: DictConfig) -> Any:
    """A default, or what the yaml of the system has learned better of such a setting."""
    system = _root_.get("system")
    return default if system is None else facts_of("system", system.name).prefers.get(setting, default)


def temporary_folder() -> str:
    """Where the system keeps what is thrown away, as TMPDIR says where it names a folder."""
    return tempfile.gettempdir()


def tracking_mode() -> str:
    """What WANDB_MODE says, in the words of today; offline where it is empty or says nothing."""
    mode = os.environ.get("WANDB_MODE", "").strip().lower()
    return {"": "offline", "dryrun": "offline", "run": "online"}.get(mode, mode)


def content_of(path: Any, *, _root_: DictConfig) -> Any:
    """A hash of the files of a path, as the class of the data source makes it."""
    return class_of(_root_.data["_target_"]).content_of(path)
