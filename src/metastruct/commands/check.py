"""Run the contract tests on pieces, such as those of your own: what every piece of a group promises.

metastruct check system=mine net=mine --config-dir conf
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from metastruct.running.command_line import pieces_named

if TYPE_CHECKING:
    import pytest

PLACES = ("GROUP=NAME",)
NONE_CHOSEN = 5  # of pytest's exit codes
PLURALS = {"data": "sources", "dynamics": "dynamics"}  # other groups have an s behind, in the names of files
OF_ALL = ("test_settings.py", "test_facts.py", "test_config.py")
ARRANGED = {"net": ("dynamics", "modulation"), "bracket": ("dynamics", "modulation"), "dynamics": ("modulation",)}


def main(words: Sequence[str]) -> None:
    """Test, and exit with 0 where every promise is kept, 1 where one is not."""
    pieces, contracts = pieces_named(words)
    try:
        import pytest
    except ImportError:
        raise ValueError('metastruct check needs pytest; pip install "metastruct[check]"') from None
    pytest.hookimpl(tryfirst=True)(Chosen.pytest_collection_modifyitems)  # before few of all cases are kept
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "-m", "not torture and not slow"]
    options += ["-o", "markers=few\ntorture\nslow", "-W", "ignore::DeprecationWarning"]
    options += ["--rootdir", str(contracts), "--confcutdir", str(contracts), "-c", os.devnull]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    places = dict.fromkeys(file for group, _ in pieces for file in files(group))
    paths = [str(path) for name in places if (path := contracts / "contracts" / name).exists()]
    code = pytest.main([*options, *paths], plugins=[Chosen(pieces)])
    if code == NONE_CHOSEN:
        raise ValueError(f"{' '.join(words)} has no contract tests")
    raise SystemExit(int(code))


def files(group: str) -> list[str]:
    """The names of the files that test pieces of a group."""
    return [*(file_of(each) for each in (group, *ARRANGED.get(group, ()))), *OF_ALL]


def file_of(group: str) -> str:
    """The name of the file that tests the pieces of a group, if they have one."""
    return f"test_{PLURALS.get(group, f'{group}s')}.py"


class Chosen:
    """Leaves the tests of these pieces, and of nothing else.

    Args:
        pieces: group and name of each.
    """

    def __init__(self, pieces: Sequence[tuple[str, str]]):
        self.pieces = pieces

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect every other test."""
        rest = [item for item in items if not any(self.is_about(item, *piece) for piece in self.pieces)]
        config.hook.pytest_deselected(items=rest)
        items[:] = [item for item in items if item not in {*rest}]

    def is_about(self, item: pytest.Item, group: str, name: str) -> bool:
        """Is a test about this piece, by its parameters and the name of its file?"""
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if parameters.get("group", group) != group:
            return False
        of_group = item.path.name == file_of(group)
        for key, value in parameters.items():
            if getattr(value, group, None) == name:  # a net, a dynamics and a bracket that are tested together
                return True
            names = value if isinstance(value, tuple) else (value,)
            if name in names and (of_group or key in ("option", f"any_{group}")):
                return True
        return False
