"""The rooms of the package: few arrows, few floors, no circle."""

from __future__ import annotations

import runpy

import pytest

from metastruct.config.facts import CONF

SCRIPT = runpy.run_path(str(CONF.parent / "scripts" / "rooms.py"))
ARROWS, FLOORS = 80, 10


@pytest.fixture
def package(tmp_path):
    """Makes a package of rooms with these texts."""

    def made(**texts: str):
        for room, text in texts.items():
            (tmp_path / "pack" / room).mkdir(parents=True)
            (tmp_path / "pack" / room / "__init__.py").touch()
            (tmp_path / "pack" / room / "module.py").write_text(text)
        return SCRIPT["arrows"](tmp_path / "pack")

    return made


@pytest.mark.parametrize(
    "text",
    ["import pack.low.module", "from pack.low.module import x", "from pack import low", "def f():\n    import pack.low",
     "if TYPE_CHECKING:\n    from pack.low import module", "import os, pack.low.module as it"],
)  # fmt: skip
def test_an_import_is_an_arrow_wherever_it_stands(package, text):
    every = package(high=text, low="")
    assert every == {"high": {"low": ["high/module.py"]}, "low": {}}
    assert SCRIPT["floors"](every) == [["low"], ["high"]]
    assert SCRIPT["circles"](every) == []


@pytest.mark.parametrize("text", ["import package.low", "import pack.high.other", "import low", "'import pack.low'"])
def test_what_imports_no_other_room_is_none(package, text):
    assert package(high=text, low="")["high"] == {}


def test_rooms_that_import_each_other_round_about_are_a_circle_on_one_floor(package):
    every = package(a="import pack.b", b="import pack.c", c="import pack.a", low="", high="import pack.a, pack.low")
    assert SCRIPT["circles"](every) == [["a", "b", "c"]]
    assert SCRIPT["floors"](every) == [["a", "b", "c", "low"], ["high"]]


def test_the_package_has_few_arrows_and_floors_and_no_circle():
    every = SCRIPT["arrows"]()
    assert sum(map(len, every.values())) <= ARROWS
    assert len(SCRIPT["floors"](every)) <= FLOORS
    assert SCRIPT["circles"](every) == []
