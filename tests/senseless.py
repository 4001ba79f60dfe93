"""Command lines that make no sense, drawn from the schema: every setting x every kind of wrong value, and wrong pairs.

A number stands for a command line, so that any sample can be drawn, and named again, without making all.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from typing import Any

from companions import beside, unmet_by_default
from omegaconf import DictConfig, ListConfig, OmegaConf

from metastruct.config.conditions import EACH, bounds
from metastruct.config.facts import facts_of, options, settings_of
from metastruct.config.needs import Unmet
from metastruct.config.schema import COMPONENTS, OPTIONAL, Config, groups, register
from metastruct.running.validation.laws import MOST, laws_of_schema

ALWAYS = ("???",)
NUMBERS = ("nan", "inf", "-inf", "abc", "''", "true", "[1,2]", "{a:1}", "1e300", "-1e300", "'1'", "1" + 30 * "0")
SMALLER = ("-1", "0", "-1e9")  # where a law refuses them
BY_KIND: dict[type, tuple[str, ...]] = {
    bool: ("null", "5", "abc", "[1]", "1.5", "nan", "{a:1}"),
    int: ("null", "1.5", "1e12", *NUMBERS),
    float: ("null", *NUMBERS),
    str: ("null", "[a]", "{a:1}"),
    list: ("null", "5", "abc", "{a:1}", "nan", "[nan]", "[{a:1}]", "1e300"),
    dict: ("null", "5", "abc", "[1]", "nan", "''"),
}
BRINGING = ("system", "data")  # which choose pieces of other groups
PLACES = ("tag", "outputs", "logger.project")
Law = Any


def command(number: int) -> tuple[list[str], str]:
    """Words that make no sense, and the key that is to blame."""
    generator = random.Random(number)
    if number % 5 == 0:
        return _pair(generator)
    while True:
        group = generator.choice(["", *groups()])
        option = generator.choice(options(group)) if group else ""
        if group == "experiment":
            continue
        settings = [*_settings(group, option)]
        key, default, law = generator.choice(settings) if settings else (group, None, None)
        base = [*beside(group, option)] if group else []
        way = generator.random()
        if way < 0.08 and key not in OPTIONAL:
            return [*base, f"~{key}"], key
        if way < 0.16:
            return [*base, f"{generator.choice(('', '+', '++'))}{key}x=1"], f"{key}x"
        values = [value for value in wrong(key, default, law) if value != "'1'" or group in COMPONENTS]  # else a number
        if values:
            return [*base, f"{key}={generator.choice(values)}"], key


def wrong(key: str, default: Any, law: Law) -> Iterator[str]:
    """Values that a setting with this default and law cannot have."""
    yield from ALWAYS
    kind = next((kind for kind in BY_KIND if isinstance(default, kind)), None)
    if kind is not None:
        yield from BY_KIND[kind]
    elif isinstance(law, str):  # of a number, or null
        yield from (text for text in NUMBERS if text != "[1,2]" or not law.startswith(EACH))  # which is one
    if isinstance(law, str):
        limits = bounds(law, {word: MOST for word in law.split() if word.isidentifier()})
        yield from (text for text in SMALLER if not all(limit(float(text)) for limit in limits))
    elif law is not None:
        yield from ("abc", "5", "''", "[a]", "nan")
    elif key in PLACES:
        yield "''"


@cache
def _settings(group: str, option: str) -> tuple[tuple[str, Any, Law], ...]:
    """Key, default and law of every setting of a piece, or of those that stand in no group."""
    register()
    schema = dict(laws_of_schema())
    if not group:
        defaults = {"shots": 200, "seed": 0, "replicas": 1, "rank": None, "force": False, "outputs": "o", "tag": "t"}
        return tuple((key, default, schema.get(key)) for key, default in defaults.items())
    values = facts_of(group, option).values
    whole: Any = OmegaConf.create({**OmegaConf.to_container(OmegaConf.structured(Config), resolve=False)})  # type: ignore[dict-item]
    whole[group] = settings_of(group, option)
    found = []
    for key, default in _leaves(whole[group], group):
        inner = key.partition(".")[2]
        found.append((key, default, values.get(inner, schema.get(key))))
    return tuple(found)


def _leaves(node: DictConfig, path: str) -> Iterator[tuple[str, Any]]:
    for key in map(str, node):
        if key in ("_target_", "name") or OmegaConf.is_interpolation(node, key):
            continue
        value = node[key]
        if isinstance(value, DictConfig):
            yield f"{path}.{key}", {}
            yield from _leaves(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", [*value] if isinstance(value, ListConfig) else value


@cache
def _pairs() -> tuple[tuple[tuple[str, str], tuple[str, str]], ...]:
    every = [(group, name) for group in COMPONENTS for name in options(group) if group not in BRINGING]
    apart = ((one, other) for one, other in combinations(every, 2) if one[0] != other[0])
    return tuple(pair for pair in apart if all(map(_unfit, (pair, pair[::-1]))))


def _unfit(pair: tuple[tuple[str, str], tuple[str, str]]) -> bool:
    """Is a need unmet, whichever of the two may choose for the other's group?"""
    return any(not _settled(need, pair) for need in unmet_by_default(pair))


def _settled(need: Unmet, pair: tuple[tuple[str, str], tuple[str, str]]) -> bool:
    """Does a default give way?"""
    return need.piece.group == "adaptation" and "adaptation" not in (group for group, _ in pair)


def _pair(generator: random.Random) -> tuple[list[str], str]:
    """Two pieces that do not fit."""
    (group, name), (other, second) = generator.choice(_pairs())
    return [f"{group}={name}", f"{other}={second}"], f"{group}|{other}"
