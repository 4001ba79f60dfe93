"""What types cannot say: mistakes in a configuration, found before anything is written.

First without torch, so that an answer comes at once: the components are those of their yamls with values of the types
of the defaults that they replace; values keep their laws; needs are met; the run fits into the machine. Then, where
torch is imported anyway, `rehearsal` builds the model on the meta device. Every answer is one line:
what was expected, what came, what to do.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from metastruct.config.facts import facts_of, options, settings_of
from metastruct.config.mistakes import closest
from metastruct.config.pieces import check_plain, factory
from metastruct.config.resolvers import register_resolvers
from metastruct.config.schema import COMPONENTS, OPTIONAL, Config, ConfigError
from metastruct.data.outside import shortly
from metastruct.running.assembly import outline_of
from metastruct.running.validation.laws import check_laws
from metastruct.running.validation.metrics import check_metrics
from metastruct.running.validation.pairing import check_needs, check_rank, pieces_of
from metastruct.running.validation.sites import check_order, check_tags
from metastruct.running.validation.size import check_law, check_size, check_steps, check_training
from metastruct.running.validation.starts import check_start
from metastruct.running.validation.types import check_component, check_fields, check_types
from metastruct.running.validation.values import (
    check_draws,
    check_excluded,
    check_length,
    check_machine,
    check_shapes,
    check_words,
)

if TYPE_CHECKING:
    from metastruct.systems.system import System


def validate(cfg: DictConfig) -> None:
    """Check what types cannot say.

    Raises:
        ConfigError: names the key and the fix.
    """
    check(cfg)
    check_order(cfg)
    check_law(cfg)
    check_training(cfg)
    check_machine(cfg)


def check(cfg: DictConfig) -> None:
    """The same, but for what the machine must have, and for other words for the same thing."""
    register_resolvers()  # of the defaults that yamls compute, where nothing was composed before
    settings = [setting.name for setting in fields(Config)]
    try:
        OmegaConf.to_container(cfg, resolve=True)
    except InterpolationResolutionError as error:  # with the message of a resolver that refuses
        text = str(error).splitlines()[0].rpartition("interpolation: ")[2]
        _, missing, key = text.partition("Missing mandatory value: ")
        raise ConfigError(f"{key} needs a value, got ???; leave it out for its default" if missing else text) from None
    unknown = [str(key) for key in cfg if key not in settings]
    if unknown:
        raise ConfigError(f"{unknown[0]} is not a setting; {closest(unknown[0], settings)}")
    for key in settings:
        if key not in cfg or OmegaConf.is_missing(cfg, key):
            there = options(key)
            fix = f"choose {key}= one of {', '.join(there)}" if there else "leave it alone, or give it a value"
            raise ConfigError(f"{key} is missing; {fix}")
    for group in (setting.name for setting in fields(Config) if isinstance(cfg[setting.name], DictConfig)):
        if group not in COMPONENTS:
            check_fields(cfg, group)
    chosen = [group for group in COMPONENTS if group not in OPTIONAL or cfg[group] is not None]
    for group in chosen:
        check_component(cfg, group)
    check_types(cfg, *chosen)
    check_laws(cfg)
    check_words(cfg)
    check_rank(cfg)
    check_length(cfg)
    system = family(cfg)
    try:
        outline = outline_of(cfg, system)
    except ConfigError:
        check_needs(pieces_of(cfg, system, None))  # says more, where a need is not met
        raise
    pieces = pieces_of(cfg, system, outline)
    check_tags(pieces)
    check_needs(pieces)
    check_excluded(cfg, outline)
    check_shapes(cfg, outline)
    check_start(cfg, system, outline)
    check_draws(cfg, outline)
    check_size(cfg, outline)
    check_steps(cfg, outline)
    check_metrics(cfg, system, outline)


def check_read(cfg: DictConfig) -> None:
    """Check a resolved configuration of a run folder, which need not run on this machine; errors as of `validate`."""
    cfg = cfg.copy()
    cfg.rank = None  # which the settings of the modulation hold already
    check(cfg)


def family(cfg: DictConfig) -> System | None:
    """The system of a configuration; None where nobody knows the law.

    Raises:
        ConfigError: it refuses its settings.
    """
    if cfg.system is None:
        return None
    try:
        system: System = factory(cfg.system)()
    except (ValueError, TypeError) as error:
        key = "domains" if "domains" in cfg.system else "parameters"
        raise ConfigError(f"system.{key}: {error}") from None
    return system


def adapted_by(cfg: DictConfig, name: str, settings: Mapping[str, Any] | None = None) -> DictConfig:
    """The configuration with another adaptation, at its own defaults where it is not the one that is there.

    Args:
        settings: of the adaptation, instead of those.

    Raises:
        ConfigError: there is no such adaptation, it does not go with the rest, or a setting breaks its law.
    """
    if not isinstance(name, str) or name not in options("adaptation"):
        shown = shortly(name).strip("'")
        raise ConfigError(f"adaptation={shown} is not known; {closest(shown, [*options('adaptation')])}")
    if name == cfg.adaptation.name and not settings:
        return cfg
    other = copy.deepcopy(cfg)
    if name != cfg.adaptation.name:
        other.adaptation = settings_of("adaptation", name)
        system = family(other)
        check_needs(pieces_of(other, system, outline_of(other, system)))
    for key, value in (settings or {}).items():
        check_plain(f"adaptation.{key}", value)
        other.adaptation[key] = value
    check_types(other, "adaptation")
    check_laws(other)
    return other


def best_adaptation(cfg: DictConfig) -> str:
    """The most exact of those that go with the rest, where one is more exact than what was chosen."""
    exact = {name: facts_of("adaptation", name).exactness for name in options("adaptation")}
    chosen = str(cfg.adaptation.name)
    for name in sorted(exact, key=lambda name: (-exact[name], name != chosen)):
        if exact[name] <= exact[chosen]:
            break
        try:
            return str(adapted_by(cfg, name).adaptation.name)
        except ConfigError:
            continue
    return chosen
