"""What pages show and say of the results of record: every figure is there, as its code draws it, and sentences hold."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import pytest

from metastruct.commands.report import main
from metastruct.config.folders import CONF

REFERENCE = CONF.parent / "outputs" / "reference"
PORTRAIT = "phase_portrait"  # drawn from a run, not from records
README = runpy.run_path(str(CONF.parent / "scripts" / "readme.py"))
SYSTEMS = ("pendulum", "mass_spring", "duffing")
MODULATIONS = ("SVD(5)", "Shift", "RO", "MR(5)", "FW", "CAMEL", "GEPS")
BASELINES = ("Scratch", "Pretrained", "Reptile", "ANIL", "MAML")
MEANS = re.compile(r"([\d.]+) ± [\d.]+ / ([\d.]+) ± [\d.]+")


def shown() -> list[str]:
    """The figures of record in the gallery."""
    text = (CONF.parent / "docs" / "gallery.md").read_text()
    return re.findall(r"!\[.+\]\(\.\./outputs/reference/(.+\.png)\)", text)


def test_the_gallery_shows_every_figure_of_record_once():
    assert sorted(shown()) == sorted(path.relative_to(REFERENCE).as_posix() for path in REFERENCE.rglob("*.png"))


def stale(made: Path, kept: Path) -> list[str]:
    """The figures, tables and pages that differ from those that were made anew."""
    files = (path.relative_to(made) for path in made.rglob("*") if path.suffix in (".png", ".md", ".tex", ".html"))
    return sorted(file.as_posix() for file in files if (made / file).read_bytes() != (kept / file).read_bytes())


@pytest.mark.torture
def test_figures_tables_and_the_report_are_those_that_their_records_give(tmp_path, capsys):
    made = shutil.copytree(REFERENCE, tmp_path / "reference")
    for figure in made.rglob("*.png"):
        if figure.stem not in (PORTRAIT, "scaling"):  # a run and a script draw these
            figure.unlink()
    main([str(made)])
    assert stale(made, REFERENCE) == []
    (made / "main" / "table.md").write_text("of other records")
    assert stale(made, REFERENCE) == ["main/table.md"]


def errors(table: str, column: int = 0) -> dict[str, tuple[float, float]]:
    """Field and trajectory error of each row, by its first cell."""
    rows = README["recorded"](REFERENCE / table / "table.md")
    found = {row: MEANS.search(cells[column]) for row, cells in rows.items()}
    return {row: (float(match[1]), float(match[2])) for row, match in found.items() if match}


def test_what_the_results_say_of_every_method_is_what_the_tables_hold():
    main_table, untuned = ([errors(table, column) for column in range(3)] for table in ("main", "untuned"))
    morse, untuned_morse = errors("morse"), errors("untuned", 3)
    pendulum, *others = main_table
    assert max(pendulum[name][1] for name in MODULATIONS) < min(pendulum[name][1] for name in BASELINES)
    assert all(max(table[name][1] for name in MODULATIONS) >= table["Scratch"][1] for table in others)
    assert all(table["CAMEL"][k] == min(row[k] for row in table.values()) for table in main_table for k in (0, 1))
    assert morse["FW"][1] == min(row[1] for row in morse.values())
    assert all(untuned[0][name][1] > pendulum[name][1] for name in MODULATIONS)
    for with_defaults, searched in ((untuned[2], main_table[2]), (untuned_morse, morse)):
        lower = sum(with_defaults[name][1] < searched[name][1] for name in MODULATIONS)
        assert lower > len(MODULATIONS) / 2


def test_what_the_results_say_of_the_damped_oscillator_is_what_its_table_holds():
    lines = [line for line in (REFERENCE / "dissipative" / "table.md").read_text().splitlines() if "gnode" in line]
    cells = {line.split("|")[4].strip(): line.split("|")[5] for line in lines if "damped_oscillator" in line}
    means = {name: tuple(map(float, MEANS.search(cell).groups())) for name, cell in cells.items()}  # type: ignore[union-attr]
    modulated = [row for name, row in means.items() if name not in BASELINES]
    ratios = [means[name][k] / row[k] for name in BASELINES for row in modulated for k in (0, 1)]
    assert round(min(ratios)) >= 5
    assert round(max(ratios)) <= 30
    diverged = {name: "diverged" in cells[name] for name in ("MAML", "Reptile", "ANIL")}
    assert diverged == {"MAML": True, "Reptile": False, "ANIL": False}
