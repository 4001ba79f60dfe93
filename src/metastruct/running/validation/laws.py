"""The laws of settings, of fields of the schema and facts of yamls: bounds such as "at least 1", or choices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf

from metastruct.config.conditions import EACH, ROWS, bounds
from metastruct.config.facts import facts_of
from metastruct.config.schema import COMPONENTS, Config, ConfigError

Law = str | Sequence[str]
WHOLE, ONCE = "a whole number", "once each"
LARGEST = 1e18
MOST = 10**9  # where a law has no upper end: no rate, weight or count of a sensible training is larger


def laws(cfg: DictConfig) -> Iterator[tuple[str, Law]]:
    """Each setting that has a law, with it."""
    yield from laws_of_schema()
    for group in COMPONENTS:
        if cfg[group] is not None:
            for setting, law in facts_of(group, cfg[group].name).values.items():
                yield f"{group}.{setting}", law


def laws_of_schema(schema: type = Config, path: str = "") -> Iterator[tuple[str, Law]]:
    """Those of the settings that every run has."""
    hints = get_type_hints(schema)
    for setting in fields(schema):
        hint = hints[setting.name]
        if isinstance(hint, type) and is_dataclass(hint):
            yield from laws_of_schema(hint, f"{path}{setting.name}.")
        elif "law" in setting.metadata:
            yield f"{path}{setting.name}", setting.metadata["law"]


def check_laws(cfg: DictConfig) -> None:
    """Refuse the first value that breaks its law; the first law is that machines hold all numbers."""
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    _check_numbers("", settings)
    for key, law in laws(cfg):
        group, _, inner = key.partition(".")
        beside = settings[group] if inner else settings
        value = beside.get(inner or group)
        if value is None:
            continue
        if isinstance(law, str):
            _check_bounds(key, value, law, beside if inner else {})
        else:
            _check_choices(key, value, law)


def _check_choices(key: str, value: Any, law: Sequence[str]) -> None:
    """One of the choices; of a list, some of them in their order."""
    if isinstance(value, list):
        if value != (ordered := [word for word in law if word in value]):
            raise ConfigError(
                f"{key} must hold some of {', '.join(law)}, once each and in this order, got {value}; use {ordered}"
            )
    elif value not in law:
        near = get_close_matches(str(value), law, n=1, cutoff=0.5)
        raise ConfigError(f"{key} must be one of {', '.join(law)}, got {value!r}; write {(near or [law[0]])[0]}")


def _check_bounds(key: str, value: Any, law: str, beside: Mapping[str, Any]) -> None:
    """A number in its bounds; a list of such numbers where they are of `each`, lists of one length where of `rows`."""
    if law.startswith(ROWS):
        lengths = {len(row) if isinstance(row, list) else 0 for row in value} if isinstance(value, list) else {0}
        if len(lengths) != 1 or 0 in lengths:
            raise ConfigError(f"{key} must be rows of numbers such as [[2.0, 0.0], [0.0, 1.0]], got {value!r}")
        for row in value:
            _check_bounds(key, row, law.removeprefix(ROWS), beside)
        return
    limits = law.removeprefix(EACH)
    if limits != law and isinstance(value, list):
        for number in value:
            _check_bounds(key, number, limits, beside)
        if ONCE in law and len(once := [*dict.fromkeys(value)]) < len(value):
            raise ConfigError(f"{key} must hold each number once, got {value}; use {once}")
        return
    numbers = {name: number for name, number in beside.items() if type(number) in (int, float)}
    kinds = (int,) if WHOLE in law else (int, float)
    if limits != law or type(value) not in kinds or not _lies_in(value, limits, numbers):
        ends = "".join(f" = {numbers[word]}" for word in law.split() if word in numbers)
        raise ConfigError(f"{key} must be {'a list of numbers, ' * (limits != law)}{law}{ends}, got {value!r}")
    if value > MOST and not {"most", "below", "number"} & {*limits.replace(WHOLE, "").split()}:
        raise ConfigError(f"{key} must be {law} and at most {MOST:,}, got {value}")


def _lies_in(value: float, law: str, numbers: Mapping[str, float]) -> bool:
    return math.isfinite(value) and all(bound(value) for bound in bounds(law, numbers))


def _check_numbers(place: str, value: Any) -> None:
    """Refuse an integer of more than 64 bits, and a number that single precision does not hold with its square."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            _check_numbers(f"{place}.{key}" if place else str(key), inner)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ConfigError(f"{place} must be an integer of at most 64 bits, got one of {value.bit_length()}")
    elif isinstance(value, float) and LARGEST < abs(value) < math.inf:  # what is not finite breaks its own law
        raise ConfigError(f"{place} must be a number of at most {LARGEST:g}, got {value}")
