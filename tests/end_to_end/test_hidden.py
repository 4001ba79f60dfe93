"""A file that hides a library is named in one line; one that hides nothing is nobody's business."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from metastruct.config.facts import CONF
from metastruct.config.hidden import hidden

TRAIN = CONF.parent / "train.py"
WORDS = ("shots=-1", "logger=none")


def ended(folder: Path, *command: str) -> tuple[int, str]:
    """Exit code and complaint of a process with a folder of PYTHONPATH before all others."""
    search = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    surroundings = os.environ | {"PYTHONPATH": search}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=surroundings, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["yaml", "random", "logging", "hydra", "omegaconf", "difflib"])
@pytest.mark.parametrize("content", ["raise RuntimeError('of a stranger')", "", "import nothing_like_it"])
@pytest.mark.parametrize("command", [[str(TRAIN)], ["-m", "metastruct", "train"]], ids=["script", "module"])
def test_a_file_that_hides_a_library_is_named_in_one_line(tmp_path, name, content, command):
    (tmp_path / f"{name}.py").write_text(content)
    code, told = ended(tmp_path, *command, *WORDS)
    assert code == 2
    assert (
        told
        == f"error: {tmp_path}/{name}.py hides the library {name}; rename it, or leave its folder out of PYTHONPATH\n"
    )


@pytest.mark.parametrize("names", [("data", "runs", "config", "systems", "mine"), ("numpy-1.0.dist-info", "torchdata")])
def test_names_that_no_library_has_do_no_harm(tmp_path, names):
    for name in names:
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('of a stranger')")
    assert ended(tmp_path, str(TRAIN), *WORDS) == (2, "error: shots must be at least 1, got -1\n")


def test_an_error_of_another_kind_is_not_blamed_on_a_file(tmp_path, monkeypatch):
    (tmp_path / "yaml.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert hidden(ValueError("no file is to blame")) is None
    assert f"{tmp_path}/yaml.py hides the library yaml" in str(hidden(AttributeError("module 'yaml' has no load")))
    monkeypatch.setenv("PYTHONPATH", "")
    assert hidden(AttributeError("module 'yaml' has no load")) is None
