"""What each line of the package is for: said in one table, once, and of nothing that is not there."""

from __future__ import annotations

import runpy

import pytest
import yaml

from metastruct.config.facts import CONF

SCRIPT = runpy.run_path(str(CONF.parent / "scripts" / "capabilities.py"))
TEXT = "import os\n\n\nclass A:\n    @property\n    def b(self):\n        return 1\n\n\ndef c():\n    pass\n"


@pytest.fixture
def package(tmp_path):
    (tmp_path / "room").mkdir()
    for name in ("one.py", "room/two.py"):
        (tmp_path / name).write_text(TEXT)
    return tmp_path


def test_every_line_of_the_package_is_attributed_once():
    table = yaml.safe_load(SCRIPT["TABLE"].read_text())
    every = SCRIPT["owners"](table)
    assert {*every} == {*SCRIPT["PACKAGE"].rglob("*.py")}
    assert {name for names in every.values() for name in names} == {SCRIPT["NEEDED"], *table}


def test_what_the_table_does_not_name_is_needed_by_the_paper(package):
    table = {"x": {"whole": ["room/"], "parts": {"one.py": ["A.b"]}}}
    every = SCRIPT["owners"](table, package)
    assert every[package / "room" / "two.py"] == ["x"] * 11
    assert [number for number, name in enumerate(every[package / "one.py"]) if name == "x"] == [4, 5, 6]


@pytest.mark.parametrize(
    "table",
    [
        {"x": {"whole": ["none.py"]}},
        {"x": {"whole": ["none/"]}},
        {"x": {"parts": {"one.py": ["A.d"]}}},
        {"x": {"whole": ["one.py", "one.py"]}},
        {"x": {"whole": ["room/"]}, "y": {"whole": ["room/two.py"]}},
        {"x": {"whole": ["one.py"]}, "y": {"parts": {"one.py": ["c"]}}},
        {"x": {"parts": {"one.py": ["A", "A.b"]}}},
    ],
)
def test_what_is_not_there_or_named_twice_is_refused(package, table):
    with pytest.raises(ValueError, match=r"must be"):
        SCRIPT["owners"](table, package)
