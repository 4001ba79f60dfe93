"""Tables are written by `runs`, which keeps formulas and markup out of them, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from metastruct.config.facts import CONF

ROOT = CONF.parent
TRAJECTORIES = ROOT / "src/metastruct/evaluation/figures/along.py"  # in the format that trainings read
MARKS = ("csv.writer(", "DictWriter(", "|---")


def writers(folder: Path) -> set[Path]:
    """The modules that write rows by themselves."""
    return {path for path in folder.rglob("*.py") if any(mark in path.read_text() for mark in MARKS)}


def test_tables_are_written_in_one_place():
    elsewhere = writers(ROOT / "src") | writers(ROOT / "scripts")
    assert {path for path in elsewhere if path.parent.name != "runs"} == {TRAJECTORIES}


@pytest.mark.parametrize("mark", MARKS)
def test_another_writer_is_seen(tmp_path, mark):
    (tmp_path / "mine.py").write_text(f"rows = {mark}")
    assert writers(tmp_path) == {tmp_path / "mine.py"}
