"""The numbers and verdicts in README and docs are written by scripts/readme.py from the results of record."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import pytest

from metastruct.config.facts import CONF

ROOT = CONF.parent
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "readme.py"))
README, RESULTS = (page.read_text() for page in SCRIPT["PAGES"])
TABLES = ("main", "main_job", "gauss_newton")


@pytest.fixture
def reference(tmp_path) -> Path:
    """A copy of what is on record, to change."""
    for name in TABLES:
        (tmp_path / name).mkdir()
        for path in (ROOT / "outputs" / "reference" / name).glob("table.*"):
            shutil.copy(path, tmp_path / name)
    shutil.copy(ROOT / "outputs" / "reference" / "claims.md", tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [README, RESULTS], ids=["README", "results"])
def test_only_cells_of_numbers_and_verdicts_are_written(reference, page):
    written = SCRIPT["written"](page, reference)
    assert SCRIPT["written"](written, reference) == written
    different = [pair for pair in zip(page.splitlines(), written.splitlines(), strict=True) if pair[0] != pair[1]]
    assert all(line.startswith("| ") for pair in different for line in pair)


def test_the_numbers_are_those_on_record(reference):
    for page in (README, RESULTS):
        assert SCRIPT["written"](page, reference) == page


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 130


SHOWN = r"system=pendulum modulation=svd rank=5"  # by the README
CHANGES = {  # of each file: the beginning of a row, what stands behind it, and what is put there
    "main/table.md": (r"Shift", r"\*{0,2}\d+\.\d+", "77.77"),
    "main_job/table.md": (r"system=pendulum modulation=svd rank=5", r"\*{0,2}\d+\.\d+", "88.88"),
    "gauss_newton/table.md": (r"system=duffing modulation=svd rank=5", r"\d+\.\d+", "99.999"),
    "claims.md": (r"C9 \| [^|]*", r"[a-z ]+(?= \|)", "left open"),
}


@pytest.mark.parametrize("file", CHANGES)
def test_another_record_is_another_number(reference, file):
    row, before, after = CHANGES[file]
    text, count = re.subn(rf"^(\| {row} ?\| ){before}", rf"\g<1>{after}", (reference / file).read_text(), flags=re.M)
    assert count == 1
    assert after not in SCRIPT["written"](RESULTS, reference)
    (reference / file).write_text(text)
    assert after in SCRIPT["written"](RESULTS, reference)
    assert (after in SCRIPT["written"](README, reference)) == (row == SHOWN)
