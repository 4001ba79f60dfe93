"""Every script looks at its words first: a mistake is one line with the flag, exit code 2, and nothing is written."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Iterator

import pytest

from metastruct.commands import subcommands
from metastruct.config.facts import CONF

SCRIPTS = CONF.parent / "scripts"
FLAG = re.compile(r'add_argument\(\s*"(--[\w-]+)"(.*)\)$', re.MULTILINE)
PEER = ("--peer", "python")
RUN = (".",)
NEEDED = {
    **{"closing_in": RUN, "long_horizon": RUN, "step_against": ("HEAD",)},
    **{"phlearn_example": PEER, "phlearn_kdv": PEER},
}
WRONG = {  # of each type of `metastruct.runs.arguments`
    "counted": ("abc", "-5", "1.5", "nan", "1e3", "99999999999999", ""),
    "numbered": ("abc", "-1", "nan", "inf", "1e300", ""),
    "placed(False)": ("afile/x", " ", "/proc/x", "."),
    "placed": ("afile", "afile/x", " ", "/proc/x", "/dev/null"),
    "existing": ("nowhere", "", "afile/x", "x" * 5000),
    "choices": ("nonsense", ""),
}


def with_shared(text: str) -> str:
    """The text of a script, with what those functions of `cells` add that it hands its parser to."""
    bodies = dict(
        re.findall(r"^def (\w+)\((.*?)(?=^def |\Z)", (SCRIPTS / "cells.py").read_text(), re.MULTILINE | re.DOTALL)
    )
    return "\n".join([text, *(bodies[name] for name in re.findall(r"^    (\w+)\(parser\b", text, re.MULTILINE))])


def mistakes() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Script and words."""
    for path in sorted(SCRIPTS.glob("*.py")):
        text = path.read_text()
        if "Flags(__doc__)" not in text:
            continue
        needed = NEEDED.get(path.stem, ())
        yield path.stem, (*needed, "--nonsense")
        yield path.stem, (*needed, "--nonsense=5")
        if not re.search(r'add_argument\("[a-z]', text):
            yield path.stem, (*needed, "word")
        for flag, rest in FLAG.findall(with_shared(text)):
            if "SUPPRESS" in rest or "store_true" in rest:
                continue
            yield path.stem, (*needed, flag)
            kind = next((kind for kind in WRONG if f"type={kind}" in rest or f"{kind}=" in rest), None)
            for value in WRONG[kind] if kind else ():
                yield path.stem, (*needed, flag, value)


CASES = [*mistakes()]
THROUGH = [SCRIPTS / f"{name}.py" for name in ("benchmark", "measured", "reproduce", "report")]  # without `Flags`


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


LIGHT = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
for path in sys.argv[2:]:
    sys.argv = [path, "--nonsense"]
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        assert end.code == 2, path
    else:
        raise AssertionError(f"{path} began")
    print(path, *({"torch", "lightning", "pandas"} & {*sys.modules}), flush=True)
"""


def test_a_mistake_is_answered_before_anything_heavy_is_imported():
    scripts = sorted({str(SCRIPTS / f"{name}.py") for name, _ in CASES} | {*map(str, THROUGH)})
    words = [sys.executable, "-c", LIGHT, str(SCRIPTS), *scripts, str(CONF.parent / "train.py")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [*scripts, str(CONF.parent / "train.py")]
    assert done.stderr.count("\n") == len(scripts) + 1


@pytest.mark.parametrize("name", subcommands())
def test_a_subcommand_answers_before_anything_heavy_is_imported(name):
    code = "import sys; from metastruct.commands import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print(*({'torch', 'lightning', 'pandas'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code, name, "--nonsense"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr.count("\n")) == ("\n", 1)


def test_the_guard_sees_what_is_heavy(tmp_path):
    heavy = tmp_path / "heavy.py"
    heavy.write_text("import pandas\nraise SystemExit(2)\n")
    words = [sys.executable, "-c", LIGHT, str(SCRIPTS), str(heavy)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(heavy), "pandas"]


def test_there_are_a_hundred_of_them_and_each_script_that_takes_words_is_there():
    assert len(CASES) >= 100
    left = {path.stem for path in SCRIPTS.glob("*.py")} - {name for name, _ in CASES}
    through = {path.stem for path in THROUGH}
    parts = {"balance", "cells", "chaos", "comparison", "forecaster", "oracle", "sizes"}  # that others import
    assert left - through - parts == {"phlearn_peer"}  # which another Python runs


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.stem)
def test_every_script_can_be_read_whole(path, monkeypatch):
    """Bad words end a script before its imports, so that none of the tests above sees what is wrong behind them."""
    if path.stem == "phlearn_peer":
        pytest.importorskip("phlearn")  # of another environment
    monkeypatch.syspath_prepend(str(SCRIPTS))
    assert runpy.run_path(str(path), run_name=path.stem)["__doc__"]
