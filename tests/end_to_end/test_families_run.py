"""Runs on families without an energy, and on starts of one's own: what is measured is what there is, where it is."""

from __future__ import annotations

import csv
from pkgutil import resolve_name

import numpy as np
import pytest

from metastruct.config.pieces import target_of
from metastruct.config.schema import groups
from metastruct.evaluation.archive import Archive
from metastruct.running.assembly import build_system
from metastruct.running.experiment import run
from metastruct.systems.system import System


def law(name: str) -> type[System]:
    return resolve_name(str(target_of("system", name)))


def without_energy(name: str) -> bool:
    return getattr(law(name), "energy", System.energy) is System.energy


GENERAL = [name for name in groups()["system"] if without_energy(name)]


def test_there_are_families_without_an_energy():
    assert {"van_der_pol", "lorenz"} <= set(GENERAL)


def families() -> list:
    """Those that nothing drives, and the first that something does; the others are torture."""
    plain = [name for name in GENERAL if not law(name).input_names]
    first, *others = [name for name in GENERAL if law(name).input_names]
    return [*plain, "pendulum", first, *(pytest.param(name, marks=pytest.mark.torture) for name in others)]


@pytest.mark.few(1)
@pytest.mark.parametrize("name", families())
def test_a_family_runs_and_is_measured_by_what_it_has(tiny, tmp_path, name):
    cfg = tiny(tmp_path, f"system={name}", "evaluation.figures=true")
    folder, system = run(cfg), build_system(cfg)
    with open(folder.records, newline="") as file:
        measured = {row["metric"]: float(row["value"]) for row in csv.DictReader(file) if not row["component"]}
    assert np.isfinite(measured["field_error"])
    assert ("true_energy_drift" in measured) == system.gives("energy")
    assert ("true_entropy_production" in measured) == system.gives("entropy")
    assert (folder.figures / "phase_portrait.png").exists()


def test_a_run_starts_and_is_measured_where_it_was_told_to(tiny, tmp_path):
    box = [[-0.5, 0.7], [-0.25, 0.5]]
    words = ("start=in_box", f"start.box={box}".replace(" ", ""))
    archive, own = (Archive.load(run(tiny(tmp_path, *more)).evaluation) for more in (words, ()))
    low, high = np.array(box).T
    assert (archive.query[:, :, 0] >= low).all()
    assert (archive.query[:, :, 0] <= high).all()
    np.testing.assert_allclose(archive.grid.min((1, 2)), [low] * 2)
    np.testing.assert_allclose(archive.grid.max((1, 2)), [high] * 2)
    assert not (np.abs(own.query[:, :, 0]) <= 0.7).all()
