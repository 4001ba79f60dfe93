"""The pages of the options: every setting of every yaml, what it does, why its default is so, and what it may be."""

from __future__ import annotations

import re
import runpy

import pytest

from metastruct.config.facts import CONF, described, facts_of
from metastruct.config.folders import yaml_of
from metastruct.running.usage import purpose

PAGES = runpy.run_path(str(CONF.parent / "docs" / "extensions" / "options.py"))
RECORD, ERRORS = re.compile(r"outputs/reference/\w+"), re.compile(r"[\d.]+ / [\d.]*\d")
MARKS = re.compile(r"\*\*| ± [\d.]+")  # of the best one, and deviations
PIECES = [(path.parent.name, path.stem) for path in sorted(CONF.glob("*/*.yaml")) if path.parent.name != "table"]


@pytest.mark.parametrize(("group", "name"), PIECES)
def test_every_setting_of_a_piece_is_on_its_page_with_what_it_does_and_why_its_default(group, name):
    rows = {row.name: row for row in PAGES["settings"](group, name)}
    for setting, value in described(group, name).items():
        if setting in (*PAGES["UNLISTED"], "facts"):
            continue
        names = [f"{setting}.{inner}" for inner in value] if isinstance(value, dict) else [setting]
        assert {*names} <= {*rows} or setting in rows, setting
    assert [row.name for row in rows.values() if not row.what or not row.why] == []
    assert {*facts_of(group, name).values} <= {*rows}
    assert purpose(yaml_of(group, name)).strip("@") == purpose(yaml_of(group, name)) != ""


def unrecorded(why: str) -> list[str]:
    """What a reason says was measured, and no record that it names holds."""
    tables = [MARKS.sub("", (CONF.parent / name / "table.md").read_text()) for name in RECORD.findall(why)]
    lacking = [pair for pair in ERRORS.findall(why) if not any(f" {pair} " in table for table in tables)]
    return lacking + (["the search"] if "the search" in why and "outputs/reference/search" not in why else [])


@pytest.mark.parametrize(("group", "name"), PIECES)
def test_a_reason_that_was_measured_names_the_record_that_holds_its_numbers(group, name):
    found = {row.name: unrecorded(row.why) for row in PAGES["settings"](group, name)}
    assert {setting: lacking for setting, lacking in found.items() if lacking} == {}


def test_a_number_that_no_record_holds_would_be_seen():
    assert unrecorded("0.96 / 0.63 (outputs/reference/defaults)") == []
    assert unrecorded("0.96 / 0.64 (outputs/reference/defaults)") == ["0.96 / 0.64"]
    assert unrecorded("0.96 / 0.63; the search found it") == ["0.96 / 0.63", "the search"]


def test_settings_of_no_group_are_there_too():
    rows = {row.name: row for row in PAGES["of_train"]()}
    assert {"rank", "shots", "seed", "replicas", "force", "outputs", "tag"} == {*rows}
    assert all(row.what and row.why for row in rows.values())


def test_a_setting_without_a_word_would_be_seen(tmp_path):
    assert PAGES["LINE"].match("width: 64 # units").groupdict()["comment"] == "units"
    assert PAGES["LINE"].match("width: 64").groupdict()["comment"] is None
    assert PAGES["said_of"]("units; 0: none; why: it is enough") == ("units; 0: none", "it is enough")
    assert PAGES["said_of"]("units; 0: none") == ("units; 0: none", "")
    assert PAGES["said_of"](None) == ("", "")
    assert PAGES["arguments"]("One.\n\nArgs:\n    width, depth: of it\n        all.\n") == {
        "width": "of it all.",
        "depth": "of it all.",
    }


def test_what_an_experiment_chooses_is_on_its_page():
    assert PAGES["overridden"]("experiment", "paper") == ["adaptation=gradient", "optimizer=adam"]
    assert PAGES["overridden"]("net", "mlp") == []


def test_another_default_needs_a_reason_of_its_own():
    rows = {row.name: row.why for row in PAGES["settings"]("modulation", "shift")}
    assert rows["code_dim"] == next(row.why for row in PAGES["settings"]("modulation", "svd") if row.name == "code_dim")
    line = ("net", "waves", "width")
    assert PAGES["_elsewhere"](*line, "64") != PAGES["_elsewhere"](*line, "63") == ""


@pytest.mark.parametrize(
    ("yaml", "shown"),
    [
        ("0.1", "0.1"),
        ("${metastruct.preferred:net.depth,3}", "3"),
        ("${metastruct.given:${rank},5}", "5"),
        ("${metastruct.where:${.seconds},null,560,null}", "560"),
        ("${metastruct.preferred:modulation.code_dim,${metastruct.one_or_several:3,6}}", "3; several families: 6"),
        ("${locality.lambda_z}", "${locality.lambda_z}"),
        ("${metastruct.content_of:${data.path}}", "computed"),
    ],
)
def test_a_default_is_shown_without_where_it_is_looked_for(yaml, shown):
    assert PAGES["readable"](yaml) == shown


def test_the_drawing_of_the_rooms_is_that_of_the_layers():
    rooms = runpy.run_path(str(CONF.parent / "docs" / "extensions" / "drawing.py"))
    assert rooms["DRAWING"].read_text() == rooms["drawing"]()
    assert {room for floor in rooms["floors"]() for room in floor} == {*rooms["purposes"]()}
