"""Every learner goes from a configuration to records; one that diverges does so too, and says it."""

from __future__ import annotations

import csv
import json
import math

import pytest

import metastruct
from metastruct.config.schema import groups
from metastruct.running.experiment import run

TINY = {
    "data__train_tasks": 4,
    "data__test_tasks": 3,
    "data__trajectories": 3,
    "data__support_trajectories": 2,
    "data__points": 12,
    "data__horizon": 1.0,
    "learner__task_batch": 3,
    "learner__point_batch": 4,
    "adaptation__steps": 3,
    "evaluation__grid": 11,
    "evaluation__steps": 3,
    "integrator__step_size": 0.05,
    "trainer__steps": 2,
    "trainer__accelerator": "cpu",
    "shots": 10,
}
BASELINES = ["maml", "anil", "reptile", "pretrained", "scratch"]


@pytest.fixture(scope="module")
def started(small, tmp_path_factory):
    """Runs a tiny job of a learner; gives its folder, metrics and records."""
    outputs = tmp_path_factory.mktemp("outputs")

    def job(learner: str, **settings: object):
        cfg = small(f"learner={learner}", "logger=none", f"outputs={outputs}", **TINY | settings)
        folder = run(cfg)
        with open(folder.records, newline="") as file:
            return folder, json.loads(folder.metrics.read_text()), list(csv.DictReader(file))

    return job


@pytest.mark.few(1)
@pytest.mark.parametrize("learner", groups()["learner"])
def test_a_run_of_two_steps_leaves_records_of_its_method_and_its_adaptation_steps(started, learner):
    folder, metrics, rows = started(learner)
    assert metrics["training_steps"] == (0 if learner == "scratch" else 2)
    assert metrics["training_diverged_at"] is None
    assert metrics["steps"] == 3
    assert {row["learner"] for row in rows} == {learner}
    assert {row["steps"] for row in rows} == {"3"}
    if learner in BASELINES:
        assert {row["method"] for row in rows} == {learner}
        assert folder.path.name.startswith(f"pendulum-{learner}-")
    assert folder.model.stat().st_size < 60_000


@pytest.mark.few(2)
@pytest.mark.parametrize("learner", BASELINES)
def test_a_finished_run_adapts_through_the_python_interface(started, learner):
    folder, _, _ = started(learner)
    member = metastruct.load(folder.path).adapt([[0.1, 0.2], [0.3, -0.4]], [[0.2, -0.1], [-0.4, -0.3]], steps=2)
    assert member.losses.shape == (3,)
    assert math.isfinite(member.losses[-1])


@pytest.fixture
def lawless(monkeypatch):
    """Rates that diverge within two steps, which no law lets pass."""
    monkeypatch.setattr("metastruct.running.validation.check_laws", lambda cfg: None)


@pytest.mark.few(1)
@pytest.mark.parametrize("learner", ["maml", "anil", "reptile", "pretrained"])
def test_a_training_that_diverges_is_a_result_and_all_its_tasks_are_counted(started, lawless, capsys, learner):
    settings = {"learner__inner_rate": 1e9, "optimizer__base_rate": 1e9}
    folder, metrics, rows = started(learner, **settings, learner__inner_optimizer="sgd", trainer__steps=30)
    told = " ".join(capsys.readouterr().out.split())
    assert metrics["training_diverged_at"] is not None
    assert "DIVERGED at outer step" in told
    assert "3 of 3" in told
    assert metrics["diverged_tasks"] == 3
    errors = [row["value"] for row in rows if row["metric"] == "trajectory_error" and not row["component"]]
    assert errors == ["nan"] * 3
    assert folder.finished() is not None


def test_an_adaptation_that_diverges_is_a_result_too(started, lawless):
    _, metrics, _ = started("scratch", adaptation__learning_rate=1e18)
    assert metrics["diverged_tasks"] == 3
    assert metrics["training_diverged_at"] is None
