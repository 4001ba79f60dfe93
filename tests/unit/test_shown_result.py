"""The table at the end of a run: published numbers stand beside what can be compared with them, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metastruct.config.published import NOTE
from metastruct.running.result import print_result

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
    ("changes", "noise", "compared"),
    [
        ({}, 0.0, True),
        ({}, 0.05, False),
        ({"dynamics": "unstructured"}, 0.0, False),
        ({"method": "film"}, 0.0, False),
        ({"system": "files", "dynamics": "unstructured"}, 0.0, False),
    ],
)
def test_published_numbers_stand_beside_their_own_pairing_alone(changes, noise, compared, capsys):
    print_result(METRICS | changes, Path("here"), noise)
    text = " ".join(capsys.readouterr().out.split())
    assert ("4.62" in text) == ("published" in text) == (NOTE.split(",")[0] in text) == compared
    assert "diverged tasks" in text
    assert "results in here" in text
