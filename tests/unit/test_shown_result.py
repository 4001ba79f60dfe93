"""The table at the end of a run: published numbers stand beside what can be compared with them, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metastruct.config.published import NOTE
from metastruct.running.result import comparable, print_result
from metastruct.running.run import Run

METRICS: dict[str, Any] = {
    "system": "pendulum",
    "method": "svd(5)",
    "dynamics": "hamiltonian",
    "seed": 0,
    "shots": 200,
    **{name: {"mean": 0.01, "std": 0.0, "per_task": [0.01]} for name in ("field_error", "trajectory_error", "ssim")},
    "diverged_tasks": 0,
    "parameters": {"base": 1, "hypernetwork": 1, "code": 1},
    "seconds": {"training": 1.0, "adaptation": 1.0},
    "energy_drift": {"mean": None, "std": None, "per_task": [None]},
    "domains": {"pendulum": {name: {"mean": 0.01, "std": 0.0} for name in ("field_error", "trajectory_error")}},
}


@pytest.mark.parametrize(
    ("changes", "settings", "compared"),
    [
        ({}, (), True),
        ({}, ("optimizer=soap", "data.noise=0.05"), False),
        ({}, ("shots=20",), False),
        ({}, ("system.parameters.m=[1,1]",), False),
        ({}, ("start=in_box",), False),
        ({}, ("data.observed=states", "objective=weak"), False),
        ({}, ("seed=3", "net.width=32"), True),
        ({"dynamics": "unstructured"}, (), False),
        ({"method": "film"}, (), False),
        ({"system": "files", "dynamics": "unstructured"}, (), False),
    ],
)
def test_published_numbers_stand_beside_their_own_pairing_alone(composed, changes, settings, compared, capsys):
    print_result(METRICS | changes, Path("here"), comparable(Run.of(composed(*settings)).config))
    text = " ".join(capsys.readouterr().out.split())
    assert ("4.62" in text) == ("published" in text) == (NOTE.split(",")[0] in text) == compared
    assert "forecasts that diverged" in text
    assert "results in here" in text


@pytest.mark.parametrize(
    ("counted", "told"),
    [
        ({"observations": {"least": 160, "most": 160}}, "160 observations of each new member"),
        ({"observations": {"least": 80, "most": 160}}, "80 to 160 observations of each new member"),
        ({}, "at most 200 observations of each new member"),
    ],
)
def test_the_number_of_observations_is_what_there_was_and_not_what_was_allowed(counted, told, capsys):
    print_result(METRICS | counted, Path("here"))
    assert told in " ".join(capsys.readouterr().out.split())


def test_members_that_went_wrong_are_counted_with_what_helps(capsys):
    print_result(METRICS | {"unconverged_tasks": 0, "flagged_tasks": 0}, Path("here"))
    assert "adaptation.steps" not in (quiet := capsys.readouterr().out)
    assert "0 of 1" in quiet
    print_result(METRICS | {"unconverged_tasks": 1, "flagged_tasks": 1}, Path("here"))
    text = capsys.readouterr().out
    assert "adaptation.steps" in text
    assert "dynamics=unstructured" in text  # of one member, most
    assert "data.outliers=6" in text


def test_a_small_error_is_not_shown_as_none(capsys):
    small = {"field_error": {"mean": 4.2e-5, "std": 0.0, "per_task": [4.2e-5]}}
    print_result(METRICS | small, Path("here"))
    assert "0.004 ± 0.00" in capsys.readouterr().out
