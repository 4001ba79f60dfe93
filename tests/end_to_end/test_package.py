"""`python -m metastruct` is the command `metastruct`."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable

import pytest

from metastruct.commands import main


@pytest.mark.parametrize(("words", "code"), [([], 0), (["adpt"], 2), (["inspect"], 0)])
def test_the_package_does_what_the_command_does(words, code, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["metastruct", *words])

    def ended(call: Callable[[], object]) -> tuple[object, ...]:
        try:
            call()
        except SystemExit as end:
            return end.code, *capsys.readouterr()
        return 0, *capsys.readouterr()

    ends = ended(lambda: runpy.run_module("metastruct", run_name="__main__"))
    assert ends == ended(main)
    assert ends[0] == code
    assert any(ends[1:])
