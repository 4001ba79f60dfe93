"""A config.yaml that is not what a run writes is answered in one line, whatever is wrong with it."""

from __future__ import annotations

import copy

import pytest
import yaml

import metastruct
from metastruct.config import COMPONENTS
from metastruct.run import Run

GONE = object()
INSTEAD_OF_A_GROUP = (GONE, None, 3, "x", [], {}, {"name": "x"}, {"name": None}, {"name": {"a": 1}})
INSTEAD_OF_A_SETTING = (GONE, None, [], {}, -1)


@pytest.fixture(scope="module")
def written(composed) -> dict:
    return yaml.safe_load(Run.of(composed("logger=none")).as_yaml())


@pytest.fixture
def answer(written, tmp_path):
    """What `load` says of a configuration with one thing that is another; the sum of the model file is wrong."""
    (tmp_path / "model.ckpt").write_bytes(b"nothing")

    def answered(key: str, value: object) -> str:
        tree = copy.deepcopy(written)
        *above, last = key.split(".")
        node = tree
        for name in above:
            node = node[name]
        if value is GONE:
            node.pop(last, None)
        else:
            node[last] = copy.deepcopy(value)
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(tree))
        with pytest.raises(ValueError, match=r"\S") as error:
            metastruct.load(tmp_path)
        assert error.type.__module__.startswith("metastruct") or error.type is ValueError, (key, value, error)
        return str(error.value)

    return answered


def test_the_configuration_of_a_run_gets_as_far_as_its_model(answer, written):
    assert "does not have the sum" in answer("seed", written["seed"])


@pytest.mark.parametrize("value", INSTEAD_OF_A_GROUP, ids=lambda value: "gone" if value is GONE else str(value))
def test_a_group_that_is_something_else_is_named_in_one_line(answer, written, value):
    for group in COMPONENTS:
        if written[group] is None or (value in (GONE, None) and written[group] is None):
            continue
        told = answer(group, value)
        assert "\n" not in told, (group, told)
        assert len(told) < 300, (group, told)
        assert group in told, (group, told)


SETTINGS = ["modulation.rank", "system.parameters", "evaluation.steps", "data.points", "trainer", "locality.lambda_z"]


@pytest.mark.parametrize("key", SETTINGS)
def test_a_setting_that_is_something_else_is_named_in_one_line(answer, key):
    for value in INSTEAD_OF_A_SETTING:
        told = answer(key, value)
        assert "\n" not in told, told
        assert "sum" not in told, (key, value, told)
        assert key.partition(".")[0] in told


@pytest.mark.torture
def test_every_setting_that_is_something_else_is_answered_in_one_line(answer, written):
    for group, settings in written.items():
        for setting in settings if isinstance(settings, dict) else ():
            for value in INSTEAD_OF_A_SETTING:
                assert "\n" not in answer(f"{group}.{setting}", value)
