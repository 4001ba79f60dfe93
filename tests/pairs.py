"""Which pairs and variants of pieces are tested always, which in `make torture`, and which are the same thing twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from metastruct.config.facts import described
from metastruct.running.validation.sites import sites


def crossed(ones: Sequence, one: object, others: Sequence, other: object) -> list[ParameterSet]:
    """Every pair; those with neither `one` nor `other` in them, of which each half is tested without, are torture."""
    rare = [pytest.mark.torture]
    return [pytest.param((a, b), marks=[] if a == one or b == other else rare) for a, b in product(ones, others)]


def separately(cases: Sequence[ParameterSet]) -> list[ParameterSet]:
    """The same as two parameters of a test."""
    return [pytest.param(*case.values[0], marks=case.marks) for case in cases]  # type: ignore[misc]


def effect(modulation: str, net: str, dynamics: str, settings: Mapping[str, Any]) -> str:
    """What changed settings change of a modulation: those that it has, tags of sites that are there, other values."""
    shipped, there = described("modulation", modulation), {*sites("net", net), *sites("dynamics", dynamics)}

    def told(value: Any) -> Any:
        return [tag for tag in value if tag in there] if isinstance(value, Sequence) else value

    chosen = {name.removeprefix("modulation__"): told(value) for name, value in settings.items()}
    return str({name: value for name, value in chosen.items() if name in shipped and value != told(shipped[name])})
