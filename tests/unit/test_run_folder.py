"""The configuration of a run folder may be anything: what is no run is refused in one line that names the place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

import metastruct
from metastruct.config.facts import CONF
from metastruct.config.pieces import Refused
from metastruct.config.schema import COMPONENTS, OPTIONAL, Config, ConfigError
from metastruct.running import keys
from metastruct.running.run import Run, configuration_of
from metastruct.running.validation import check_read
from metastruct.runs.folder import RunFolder

GROUPS = [setting.name for setting in fields(Config) if (CONF / setting.name).is_dir()]
INSTEAD: dict[str, Any] = {
    "nothing": None,
    "a number": 3,
    "a list": [1],
    "empty": {},
    "another name": {"name": "nope"},
    "a function": {"_target_": "os.system"},
}
TEXTS = [
    "",
    "3",
    "[]",
    "null",
    "a: b: c",
    "system: {}",
    "- a",
    "{}",
    "\0",
    "a: &a [1]\nb: *a",
    "!!python/object:os.x {}",
]


@pytest.fixture(scope="module")
def settings(composed) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.create(Run.of(composed("logger=none")).settings))  # type: ignore[return-value]


@pytest.fixture
def read(tmp_path) -> Callable[[Any], Run]:
    """Reads what is put into config.yaml, a text or a tree, as `metastruct.load` does before it looks at the model."""

    def reading(content: Any) -> Run:
        folder = RunFolder(tmp_path)
        folder.config.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        cfg = configuration_of(folder)
        run = Run.of(cfg)
        check_read(cfg)
        assert run.training.name
        assert run.folder.path.name
        return run

    return reading


def refusal(read: Callable[[Any], Run], content: Any) -> str:
    with pytest.raises((Refused, ConfigError)) as refused:
        read(content)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_what_a_run_left_is_read(read, settings):
    assert read(settings).settings == settings


@pytest.mark.few(12)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("instead", INSTEAD)
def test_a_group_that_is_something_else_is_refused_by_name(read, settings, group, instead):
    changed = settings | {group: INSTEAD[instead]}
    if INSTEAD[instead] is None and group in OPTIONAL and group != "system":  # which data=simulated needs
        read(changed)
        return
    assert group in refusal(read, changed)


@pytest.mark.few(4)
@pytest.mark.parametrize("group", GROUPS)
def test_a_group_that_lacks_or_holds_more_is_refused_by_name(read, settings, group):
    if group not in OPTIONAL:
        assert group in refusal(read, {key: value for key, value in settings.items() if key != group})
    if settings[group] is not None:
        assert "more" in refusal(read, settings | {group: settings[group] | {"more": 1}})


@pytest.mark.few(4)
@pytest.mark.parametrize("group", [group for group in GROUPS if group in COMPONENTS])
def test_a_piece_that_lacks_a_setting_is_refused_by_its_name(settings, group):
    for key in settings[group] or ():
        if f"{group}.{key}" in keys.OPTIONAL:  # a folder of before there was one; tests/unit/test_keys.py
            continue
        less = copy.deepcopy(settings)
        del less[group][key]
        with pytest.raises(Refused, match=rf"^{group}\.{key} "):
            Run.of(OmegaConf.create(less))


@pytest.mark.few(5)
@pytest.mark.parametrize("group", [group for group in GROUPS if group not in OPTIONAL])
def test_a_setting_that_is_nothing_of_its_kind_is_refused_by_its_group(read, settings, group):
    *_, last = settings[group]
    assert group in refusal(read, settings | {group: settings[group] | {last: {"a": [{}]}}})


@pytest.mark.parametrize("text", TEXTS)
def test_a_file_that_is_no_configuration_is_refused(read, text):
    refusal(read, text)


def test_a_group_that_no_configuration_has_is_refused(read, settings):
    assert "another" in refusal(read, settings | {"another": {"a": 1}})


def test_loading_says_it_in_one_line_too(settings, tmp_path):
    (tmp_path / "model.ckpt").touch()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({key: settings[key] for key in settings if key != "learner"}))
    with pytest.raises(ValueError, match=r"^learner (is missing|must be)[^\n]*$"):
        metastruct.load(tmp_path)


def test_a_configuration_is_checked_also_where_nothing_was_composed_before(read, settings):
    OmegaConf.clear_resolvers()
    assert read(settings).settings == settings
