"""The pages of the options: every setting of every yaml is there, with what it does and what it may be."""

from __future__ import annotations

import runpy

import pytest

from metastruct.config.facts import CONF, described, facts_of
from metastruct.config.folders import yaml_of
from metastruct.running.usage import purpose

PAGES = runpy.run_path(str(CONF.parent / "docs" / "extensions" / "options.py"))
PIECES = [(path.parent.name, path.stem) for path in sorted(CONF.glob("*/*.yaml")) if path.parent.name != "table"]


@pytest.mark.parametrize(("group", "name"), PIECES)
def test_every_setting_of_a_piece_is_on_its_page_with_what_it_does(group, name):
    rows = {row.name: row for row in PAGES["settings"](group, name)}
    for setting, value in described(group, name).items():
        if setting in (*PAGES["UNLISTED"], "facts"):
            continue
        names = [f"{setting}.{inner}" for inner in value] if isinstance(value, dict) else [setting]
        assert {*names} <= {*rows} or setting in rows, setting
    silent = [row.name for row in rows.values() if not row.what and not row.name.startswith(("parameters.", "tag"))]
    assert silent == []
    assert {*facts_of(group, name).values} <= {*rows}
    assert purpose(yaml_of(group, name))


def test_settings_of_no_group_are_there_too():
    rows = {row.name: row for row in PAGES["of_train"]()}
    assert {"rank", "shots", "seed", "replicas", "force", "outputs", "tag"} == {*rows}
    assert all(row.what for row in rows.values())


def test_a_setting_without_a_word_would_be_seen(tmp_path):
    assert PAGES["LINE"].match("width: 64 # units").groupdict()["comment"] == "units"
    assert PAGES["LINE"].match("width: 64").groupdict()["comment"] is None
    assert PAGES["arguments"]("One.\n\nArgs:\n    width, depth: of it\n        all.\n") == {
        "width": "of it all.",
        "depth": "of it all.",
    }


def test_the_drawing_of_the_rooms_is_that_of_the_layers():
    rooms = runpy.run_path(str(CONF.parent / "docs" / "extensions" / "drawing.py"))
    assert rooms["DRAWING"].read_text() == rooms["drawing"]()
    assert {room for floor in rooms["floors"]() for room in floor} == {*rooms["purposes"]()}
