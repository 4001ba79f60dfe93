"""The numbers and verdicts in the README are those of the results of record."""

from __future__ import annotations

import csv
import re

import pytest

from metastruct.config.facts import CONF

ROOT = CONF.parent
README = (ROOT / "README.md").read_text()
REFERENCE = ROOT / "outputs" / "reference"
ERRORS = re.compile(r"\d+\.\d+ ± \d+\.\d+ / \d+\.\d+ ± \d+\.\d+")


def rows(text: str) -> list[list[str]]:
    """The cells of all lines of Markdown tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def under(heading: str) -> str:
    """A section of the README."""
    return README.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def errors(cell: str) -> str:
    """Of a cell, without the published ones and without marks."""
    (found,) = ERRORS.findall(cell)
    return str(found)


def recorded(table: str) -> dict[str, list[str]]:
    return {first: rest for first, *rest in rows((REFERENCE / table / "table.md").read_text())[2:]}


def cells(table: str) -> list[dict[str, str]]:
    with open(REFERENCE / table / "table.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_every_method_has_the_errors_and_the_size_of_the_main_table():
    ours, theirs = rows(under("Every method")), recorded("main")
    shown = {row[0]: row[1:] for row in ours if row[0] in theirs}
    assert shown.keys() == theirs.keys()
    taken = {line["method"]: float(line["training_seconds"]) for line in cells("main") if line["system"] == "pendulum"}
    for method, (error, _, size, _, _) in shown.items():
        pendulum, *_, of_size, _ = theirs[method]
        assert (errors(error), size) == (errors(pendulum), of_size), method
        assert error.startswith("**") == pendulum.startswith("**"), method
    assert [row[3] for row in shown.values()] == [f"{seconds:.0f}" for seconds in taken.values()]


def test_the_main_job_has_its_errors():
    lines = [row for row in rows(under("What a run prints and leaves behind")) if ERRORS.fullmatch(row[-2])]
    assert [row[2] for row in lines] == [errors(row[0]) for row in recorded("main_job").values()]
    quick = recorded("gauss_newton")
    settings = [f"system={name} modulation=svd rank=5" for name in ("pendulum", "mass_spring", "duffing")]
    assert [row[1] for row in lines] == [
        *(quick[words][0] for words in (*settings, "system=pendulum net=separable")),
        "-",
    ]


@pytest.mark.parametrize("row", rows((REFERENCE / "claims.md").read_text())[2:], ids=lambda row: row[0])
def test_every_claim_has_its_verdict(row):
    assert row in rows(under("Every method"))
