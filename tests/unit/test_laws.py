"""Every number of a piece that has no unit is bounded on both sides by its law; what no training wants is refused."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from omegaconf import OmegaConf

from metastruct.config.conditions import bounds
from metastruct.config.facts import described, facts_of, options, settings_of
from metastruct.config.schema import COMPONENTS, ConfigError, Locality
from metastruct.running.validation.laws import check_laws, laws_of_schema

WITH_UNIT = {"step_size", "spacing", "softening"}  # of time or of the data, so that any size may be right
LARGEST = 1000.0  # of a number without one
SENSELESS = {
    r"rate$": (0.0, 5.0),
    r"^(momentum|beta2|decay)$": (-0.1, 1.0),
    r"^(lambda_\w+|orthogonality|tilt|start)$": (-1.0, 1e3),
    r"^(\w*damping|scale|rate_factor|friction|tolerance|misfit|core)$": (0.0, 1e4),
}


def numbers() -> Iterator[tuple[str, str, str]]:
    """Group, option and setting of every number that is no count."""
    for group in COMPONENTS:
        for option in options(group):
            for setting, value in described(group, option).items():
                if type(value) is float or (str(value).startswith("${") and setting in ("lambda_z", "step_size")):
                    yield group, option, setting


NUMBERS = [*numbers()]


@pytest.mark.parametrize(("group", "option", "setting"), NUMBERS)
def test_a_number_without_unit_has_a_law_with_two_ends(group, option, setting):
    law = facts_of(group, option).values.get(setting)
    assert isinstance(law, str), "conf/ says no bounds of it"
    least, most = -1e-300, LARGEST * (1 + 1e-9)
    names = {str(key): value for key, value in described(group, option).items() if type(value) is float}
    assert not all(bound(least) for bound in bounds(law, names)), law
    assert setting in WITH_UNIT or not all(bound(most) for bound in bounds(law, names)), law


@pytest.fixture(scope="module")
def with_value(composed):
    cfg = composed()

    def changed(group: str, option: str, setting: str, value: object) -> Any:
        other = copy.deepcopy(cfg)
        if group in COMPONENTS:
            other[group] = settings_of(group, option)
        OmegaConf.update(other, f"{group}.{setting}", value)
        return other

    return changed


def test_what_no_training_can_want_is_refused(with_value):
    seen = set()
    locality = [("locality", "default", name) for name in vars(Locality()) if name != "name"]
    for group, option, setting in [*NUMBERS, *locality]:
        for kind, values in SENSELESS.items():
            if group in ("system", "data") or not re.search(kind, setting):
                continue
            seen.add(kind)
            for value in values:
                with pytest.raises(ConfigError, match=rf"^{group}\.{setting} must be [^\n]+, got [^\n]+$"):
                    check_laws(with_value(group, option, setting, value))
    assert seen == set(SENSELESS)


def test_the_values_of_the_yamls_are_not_refused(with_value):
    for group, option, setting in NUMBERS:
        value = described(group, option)[setting]
        if group not in ("system", "known"):
            check_laws(with_value(group, option, setting, value))


def test_the_weights_of_the_schema_have_two_ends():
    laws = {key: law for key, law in laws_of_schema() if key.startswith("locality.")}
    assert len(laws) == 2
    assert not any(all(bound(LARGEST + 1) for bound in bounds(str(law))) for law in laws.values())
