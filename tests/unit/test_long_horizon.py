"""The long-horizon study on pendulums, whose periods and energies are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from finished import finish
from omegaconf import OmegaConf
from scipy.special import ellipk

from metastruct.config.facts import CONF
from metastruct.config.schema import composed
from metastruct.integrators.flow import Flow
from metastruct.paper.long_horizon.orbits import GOLDEN, METRICS, measure, orbits_from, periods_of, roll, samples
from metastruct.paper.long_horizon.study import LongHorizon
from metastruct.paper.long_horizon.table import ORBITS, cells, table
from metastruct.running.assembly import component
from metastruct.runs.folder import RunFolder
from metastruct.runs.tables import read_records
from metastruct.systems.pendulum import Pendulum

STARTS = np.array([[[1.0, 0.5], [-1.5, 1.0]], [[0.2, -2.0], [0.0, 3.0]]])
COUNT, STEPS = 50, 20


def pendulum(strength: float = 6.0) -> Flow:
    return Flow(
        lambda x: torch.stack([x[..., 1], -strength * torch.sin(x[..., 0])], dim=-1),
        lambda x: x[..., 1] ** 2 / 2 - strength * torch.cos(x[..., 0]),
    )


def truth(x):
    return np.stack([x[..., 1], -6.0 * np.sin(x[..., 0])], axis=-1)


@pytest.fixture(scope="module")
def orbits():
    return orbits_from(pendulum(), truth, STARTS, np.full(2, 12.0), 10.0, COUNT, [STEPS])


@pytest.fixture(scope="module")
def measured(orbits):
    def of(name: str):
        flow = pendulum()
        states = roll(flow, orbits, component(OmegaConf.load(CONF / f"integrator/{name}.yaml")), STEPS, lambda: None)
        return measure(flow, orbits, states, STEPS)

    return {name: of(name) for name in ("rk4", "leapfrog", "gauss_legendre", "energy_projection")}


def test_periods_are_those_of_the_elliptic_integral(orbits):
    modulus2 = (STARTS[..., 1] ** 2 / 2 + 6 * (1 - np.cos(STARTS[..., 0]))) / 12
    np.testing.assert_allclose(orbits.periods, 4 * ellipk(modulus2) / np.sqrt(6), rtol=1e-4)


def test_an_orbit_that_does_not_return_is_told():
    with pytest.raises(ValueError, match="1 orbits do not return"):
        periods_of(pendulum(), np.array([[[0.0, 9.0], [1.0, 0.0]]]), 5.0)


def test_exact_states_are_those_of_the_law(orbits):
    system = Pendulum({"m": [1, 1], "l": [1, 1], "q0": [0, 0]})
    mu, numbers = np.tile([1.0, 1.0, 0.0], (2, 1)), np.arange(samples(COUNT, STEPS))
    for i in np.ndindex(2, 2):
        times = numbers * orbits.periods[i] / (STEPS + GOLDEN)
        solution = system.solution(STARTS[i[0] : i[0] + 1, i[1] : i[1] + 1], mu[:1], times)[0, 0]
        np.testing.assert_allclose(orbits.true[STEPS][i], solution, atol=1e-7)
    np.testing.assert_allclose(orbits.learned[STEPS], orbits.true[STEPS], atol=1e-7)


def test_progress_is_told_once_a_period(orbits):
    told = []
    roll(pendulum(), orbits, component(OmegaConf.load(CONF / "integrator/rk4.yaml")), STEPS, lambda: told.append(1))
    assert len(told) == COUNT


@pytest.mark.torture
@pytest.mark.parametrize("name", ["leapfrog", "gauss_legendre"])
def test_energy_of_a_symplectic_rollout_oscillates_and_goes_nowhere(measured, name):
    values = measured[name]
    assert values["amplitude"].min() > 1e-7
    assert (np.abs(values["slope"]) <= 2 * values["slope_error"]).all()
    assert (values["slope_error"] < 1e-3 * values["amplitude"]).all()


def test_energy_of_rk4_at_a_coarse_step_drifts(measured):
    values = measured["rk4"]
    assert (values["slope"] < -10 * values["slope_error"]).all()


def test_energy_projection_keeps_the_energy_and_its_trajectory_is_no_better_for_it(measured):
    assert measured["energy_projection"]["amplitude"].max() < 1e-14
    assert measured["energy_projection"]["integrator_error"].min() > 1e-5


def test_errors_are_of_the_integrator_where_the_model_is_exact(measured):
    for values in measured.values():
        np.testing.assert_allclose(values["integrator_error"], values["trajectory_error"], rtol=1e-2)


def test_a_wrong_model_shows_in_the_trajectory_error_alone():
    flow = pendulum(6.1)
    orbits = orbits_from(flow, truth, STARTS, np.full(2, 12.0), 10.0, 24, [STEPS])
    rk4 = component(OmegaConf.load(CONF / "integrator/rk4.yaml"))
    values = measure(flow, orbits, roll(flow, orbits, rk4, STEPS, lambda: None), STEPS)
    assert (values["trajectory_error"] > 10 * values["integrator_error"]).all()


def test_a_rollout_that_left_is_nan_and_the_others_are_not(orbits):
    states = orbits.learned[STEPS].copy()
    states[0, 1, 50:] = np.nan
    for name, value in measure(pendulum(), orbits, states, STEPS).items():
        assert name in METRICS
        assert np.isnan(value).tolist() == [[False, True], [False, False]]


def test_table_has_a_line_for_each_integrator_and_step_and_counts_slopes_that_vanish():
    rows = []
    for task, slope in enumerate((0.0, 3.0, -1.0, float("nan"))):
        values = {"slope": slope, "slope_error": 1.0, "amplitude": task + 0 * slope, "integrator_error": 0.1}
        values |= {"trajectory_error": 0.2, "evaluations_per_period": 80.0}
        rows += [
            {"integrator": "rk4", "steps_per_period": "20", "metric": metric, "value": str(value)}
            for metric, value in values.items()
        ]
    assert [*cells(rows)] == [("rk4", 20)]
    (line,) = table(rows)
    assert line["zero slopes"] == "2 of 4"
    assert line["not finite"] == 1
    assert line["amplitude"] == 1.0
    assert line["evaluations a period"] == 80.0


@pytest.fixture
def finished(tmp_path):
    """Makes the folder of a finished run of these words, as far as a study needs one that is given its orbits."""

    def made(name: str, *words: str) -> RunFolder:
        run = RunFolder(tmp_path / name)
        run.path.mkdir()
        OmegaConf.save(composed("system=pendulum", "modulation=svd", "rank=5", *words), run.config, resolve=True)
        return finish(run.path)

    return made


@pytest.fixture
def integrated(monkeypatch, orbits):
    """Gives every run the same orbits; the names of the runs that asked for them."""
    asked = []

    def given(_, run, cfg):
        asked.append(run.path.name)
        return pendulum(), orbits

    monkeypatch.setattr(LongHorizon, "_adapted", given)
    return asked


@pytest.mark.torture
def test_a_study_measures_every_cell_once_and_keeps_the_rows_of_a_run_that_is_gone(finished, integrated, tmp_path):
    runs, study = [finished(name, "net=separable") for name in "ab"], LongHorizon(["rk4", "leapfrog"], [STEPS], COUNT)
    study.study(runs, tmp_path / "cells", tmp_path)
    rows = read_records([tmp_path / ORBITS])
    assert integrated == ["a", "b"]
    assert {(row["run"], row["integrator"]) for row in rows} == {(run, i) for run in "ab" for i in ("rk4", "leapfrog")}
    assert len(rows) == 2 * 2 * STARTS[..., 0].size * (len(METRICS) + 2)
    for form in ("csv", "md", "tex"):
        assert "leapfrog" in (tmp_path / f"table.{form}").read_text()

    runs[1].metrics.unlink()
    study.study(runs, tmp_path / "cells", tmp_path)
    assert read_records([tmp_path / ORBITS]) == rows
    assert integrated == ["a", "b"]

    next((tmp_path / "cells").glob("a-rk4*.csv")).write_text("run\n")  # truncated
    study.study(runs, tmp_path / "cells", tmp_path)
    assert integrated == ["a", "b", "a"]


def test_a_study_leaves_out_what_cannot_be_measured_and_says_so(finished, integrated, tmp_path, monkeypatch, capfd):
    LongHorizon(["rk4", "leapfrog"], [STEPS], COUNT).study([finished("a")], tmp_path / "cells", tmp_path)
    assert {row["integrator"] for row in read_records([tmp_path / ORBITS])} == {"rk4"}
    assert "left out: " in capfd.readouterr().out

    def unbound(*_):
        raise ValueError("1 orbits do not return")

    monkeypatch.setattr(LongHorizon, "_adapted", unbound)
    LongHorizon(["rk4"], [STEPS], COUNT).study([finished("b")], tmp_path / "other", tmp_path / "nothing")
    assert "b is left out: 1 orbits do not return" in capfd.readouterr().out
    assert not (tmp_path / "nothing").exists()


def test_an_unknown_integrator_is_refused():
    with pytest.raises(ValueError, match="leapfrog"):
        LongHorizon(["leap_frog"], [STEPS])
