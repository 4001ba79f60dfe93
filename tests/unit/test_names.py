"""What counts as the name of a piece outside of its own file."""

from __future__ import annotations

import runpy
import subprocess
import sys

import pytest

from metastruct.config.facts import CONF, options
from metastruct.config.schema import COMPONENTS

SCRIPT = CONF.parent / "scripts" / "names.py"
LIMIT = "15"


@pytest.fixture
def project(tmp_path):
    """A folder with the script, two pieces and a package to search."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "names.py").write_text(SCRIPT.read_text())
    for group, name in (("modulation", "twist"), ("adaptation", "weights")):
        (tmp_path / "conf" / group).mkdir(parents=True)
        (tmp_path / "conf" / group / f"{name}.yaml").write_text(f"_target_: pack.{name}.Piece\nname: {name}\n")
    (tmp_path / "src" / "pack").mkdir(parents=True)

    def counted(code: str, file: str = "other", limit: str = "0") -> subprocess.CompletedProcess[str]:
        (tmp_path / "src" / "pack" / f"{file}.py").write_text(code)
        command = [sys.executable, tmp_path / "scripts" / "names.py", "--limit", limit]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return counted


@pytest.mark.parametrize(
    "code",
    ['name = "twist"', 'words = "use modulation=twist or another"', 'method = "twist(5)"', 'f"adaptation=weights {1}"',
     'def f(x="weights"): ...', 'raise ValueError("a twist is needed")', 'raise ValueError(f"{1}, got twist; stop")'],
)  # fmt: skip
def test_a_name_counts_as_a_constant_in_a_sentence_with_its_group_and_with_a_rank(project, code):
    found = project(code)
    assert found.returncode == 1
    assert found.stdout.endswith("1 names of pieces outside of their own files\n")
    assert "src/pack/other.py:1: " in found.stdout
    assert project(code, limit="1").returncode == 0


@pytest.mark.parametrize(
    "code",
    ['"""Of the twist."""', 'told = "the weights of a net"', "twist = weights = 1", 'word = "twisted"', '# "twist"',
     'def f():\n    "twist"', 'word = "system=twister"', 'part = net.weights["weights"]'],
)  # fmt: skip
def test_a_word_of_english_a_docstring_or_an_identifier_does_not(project, code):
    assert project(code).returncode == 0


def test_a_piece_may_be_named_in_its_own_file_alone(project):
    assert project('name = "twist"', file="twist").returncode == 0
    assert project('name = "weights"', file="twist").returncode == 1


def test_every_group_whose_yamls_name_a_class_is_counted():
    names = runpy.run_path(str(SCRIPT))
    assert set(names["GROUPS"]) == {*COMPONENTS, "metric", "launcher"}
    assert names["WORDS"] <= {name for group in names["GROUPS"] for name in options(group)}


def test_few_names_of_pieces_stand_in_the_package():
    counted = subprocess.run([sys.executable, SCRIPT, "--limit", LIMIT], capture_output=True, text=True, check=False)
    assert counted.returncode == 0, counted.stdout
