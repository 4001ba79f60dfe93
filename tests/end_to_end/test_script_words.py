"""Every script looks at its words first: a mistake is one line with the flag, exit code 2, and nothing is written."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator

import pytest

from metastruct.config.facts import CONF

SCRIPTS = CONF.parent / "scripts"
FLAG = re.compile(r'add_argument\(\s*"(--[\w-]+)"(.*)\)$', re.MULTILINE)
WRONG = {  # of each type of `metastruct.runs.arguments`
    "counted": ("abc", "-5", "1.5", "nan", "1e3", "99999999999999", ""),
    "numbered": ("abc", "-1", "nan", "inf", "1e300", ""),
    "placed(False)": ("afile/x", " ", "/proc/x", "."),
    "placed": ("afile", "afile/x", " ", "/proc/x", "/dev/null"),
    "existing": ("nowhere", "", "afile/x", "x" * 5000),
    "choices": ("nonsense", ""),
}


def mistakes() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Script and words."""
    for path in sorted(SCRIPTS.glob("*.py")):
        text = path.read_text()
        if "Flags(__doc__)" not in text:
            continue
        needed = {"long_horizon": (".",), "step_against": ("HEAD",)}.get(path.stem, ())
        yield path.stem, (*needed, "--nonsense")
        yield path.stem, (*needed, "--nonsense=5")
        if not re.search(r'add_argument\("[a-z]', text):
            yield path.stem, ("word",)
        for flag, rest in FLAG.findall(text):
            if "SUPPRESS" in rest or "store_true" in rest:
                continue
            yield path.stem, (*needed, flag)
            kind = next((kind for kind in WRONG if f"type={kind}" in rest or f"{kind}=" in rest), None)
            for value in WRONG[kind] if kind else ():
                yield path.stem, (*needed, flag, value)


CASES = [*mistakes()]


@pytest.mark.few(12)
@pytest.mark.parametrize(("script", "words"), CASES, ids=[f"{name} {' '.join(words):.40}" for name, words in CASES])
def test_a_script_refuses_words_that_mean_nothing(script, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    (tmp_path / "afile").touch()
    monkeypatch.setattr(sys, "argv", [f"{script}.py", *words])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPTS / f"{script}.py"), run_name="__main__")
    said = capsys.readouterr()
    assert (end.value.code, said.out, said.err.count("\n")) == (2, "", 1), said
    assert said.err.startswith("error: ")
    assert any(word.partition("=")[0] in said.err for word in words if word.strip())
    assert [path.name for path in tmp_path.iterdir()] == ["afile"]


def test_there_are_a_hundred_of_them_and_each_script_that_takes_words_is_there():
    assert len(CASES) >= 100
    left = {path.stem for path in SCRIPTS.glob("*.py")} - {name for name, _ in CASES}
    through = {"benchmark", "reproduce", "report"}  # which are commands of metastruct
    of_others = {"phlearn_example", "phlearn_kdv", "phlearn_peer"}  # which hand words to another Python
    parts = {"balance", "cells", "chaos", "comparison", "forecaster", "sizes", "variances"}  # that others import
    assert left - through - of_others - parts == {"measured"}
