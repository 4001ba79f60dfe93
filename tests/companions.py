"""Configurations of the tests, and what goes with each piece of conf/."""

from __future__ import annotations

import copy
import re
from functools import lru_cache

from omegaconf import DictConfig

from metastruct.config import schema as config
from metastruct.config.facts import brings, by_default, facts_of
from metastruct.config.needs import Piece, Unmet, unmet
from metastruct.config.schema import COMPONENTS, ConfigError, groups
from metastruct.running.validation import validate
from metastruct.sweeps.table import configured


@lru_cache(maxsize=512)
def _configuration(*overrides: str) -> DictConfig:
    """Composed once for all values of the same pieces, for Hydra takes its time; `test_config` holds both equal."""
    plain = all(re.fullmatch(r"[\w.]+=(?!.*(nan|inf))[\w.,/\[\]-]*", word) for word in overrides)
    return configured(*overrides) if plain else config.composed(*overrides)


def configuration(*overrides: str) -> DictConfig:
    return copy.deepcopy(_configuration(*overrides))


@lru_cache(maxsize=256)
def beside(group: str, option: str) -> tuple[str, ...]:
    """The overrides of an option, with one of another group that goes with it where the default does not."""
    others = [other for other in ("learner", "modulation", "system", "net") if other != group]
    companions = [((other, name),) for other in others for name in groups()[other]]
    for choices in sorted([(), *companions], key=lambda choices: len(unmet_by_default((*choices, (group, option))))):
        overrides = tuple(f"{other}={name}" for other, name in (*choices, (group, option))) + example(group, option)
        try:
            validate(configuration(*overrides))
        except ConfigError:
            continue
        return overrides
    raise AssertionError(f"nothing goes with {group}={option}")


def example(group: str, option: str) -> tuple[str, ...]:
    """The settings without which a piece makes no sense, as the words of its example; files lie in the repository."""
    settings = facts_of(group, option).example if group in COMPONENTS else {}
    root = f"{config.CONF.parent}/"
    lists = {name: re.sub("[' ]", "", str([*value])) for name, value in settings.items()}
    words = {name: f"{root}{value}" if name == "path" else lists[name] for name, value in settings.items()}
    return tuple(f"{group}.{name}={word}" for name, word in words.items())


def unmet_by_default(choices: tuple[tuple[str, str], ...]) -> list[Unmet]:
    """The declared needs that these options leave unmet beside what they bring and the defaults."""
    if any(group not in COMPONENTS for group, _ in choices):
        return []
    options = by_default() | {other: name for choice in choices for other, name in brings(*choice).items()}
    pieces = {group: name and Piece.as_described(group, name) for group, name in (options | dict(choices)).items()}
    return [
        need
        for need in unmet({group: pieces.get(group) for group in COMPONENTS})
        if need.group not in ("system", "data")
    ]
