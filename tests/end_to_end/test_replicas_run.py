"""`replicas` trains several seeds as one; what it leaves are the runs of single seeds."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

from metastruct import group, training
from metastruct.config import ConfigError
from metastruct.experiment import run
from metastruct.learners.learner import Diverged


def folders(outputs: Path) -> set[str]:
    return {str(path.relative_to(outputs)) for path in (*outputs.glob("*-seed*"), *outputs.glob("training/*"))}


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def singles(tiny, tmp_path_factory):
    outputs = tmp_path_factory.mktemp("singles")
    return outputs, [run(tiny(outputs, f"seed={seed}")).path for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def together(tiny, tmp_path_factory):
    outputs = tmp_path_factory.mktemp("together")
    return outputs, run(tiny(outputs, "seed=1", "replicas=3"))


def test_they_leave_the_folders_of_single_runs_and_nothing_else(singles, together):
    assert folders(together[0]) == folders(singles[0])
    assert together[1].path.name == singles[1][0].name


def test_every_seed_has_the_numbers_configuration_and_records_of_its_own_run(singles, together):
    errors = set()
    for seed, single in zip((1, 2, 3), singles[1], strict=True):
        ours = together[0] / single.name
        metrics, expected = metrics_of(ours), metrics_of(single)
        assert metrics["seed"] == seed
        for metric in ("field_error", "trajectory_error", "support_loss"):
            assert metrics[metric]["per_task"] == pytest.approx(expected[metric]["per_task"], rel=1e-3)
        errors.add(round(metrics["field_error"]["mean"], 4))
        assert metrics["training_steps"] == expected["training_steps"]
        kept, told = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (ours, single))
        assert kept | {"outputs": ""} == told | {"outputs": ""}
        with open(ours / "records.csv", newline="") as file:
            assert {(row["seed"], row["run"]) for row in csv.DictReader(file)} == {(str(seed), single.name)}
    assert len(errors) == 3


def test_their_runs_are_recognised_afterwards_one_by_one_and_together(tiny, together, capsys):
    before = [path.stat().st_mtime_ns for path in sorted(together[0].rglob("*.ckpt"))]
    run(tiny(together[0], "seed=2"))
    assert capsys.readouterr().out.count("finished before") == 1
    run(tiny(together[0], "seed=1", "replicas=3"))
    assert capsys.readouterr().out.count("finished before") == 3
    assert [path.stat().st_mtime_ns for path in sorted(together[0].rglob("*.ckpt"))] == before


def test_a_finished_seed_is_not_trained_again(tiny, singles, tmp_path, capsys):
    shutil.copytree(singles[0], tmp_path / "outputs")
    run(tiny(tmp_path / "outputs", "seed=2", "replicas=4"))
    told = capsys.readouterr().out
    assert "training 2 seeds together" in told
    assert told.count("finished before") == 2
    assert len(folders(tmp_path / "outputs")) == 10


def test_force_repeats_every_seed(tiny, together, tmp_path, capsys):
    shutil.copytree(together[0], tmp_path / "outputs")
    run(tiny(tmp_path / "outputs", "seed=1", "replicas=3", "force=true"))
    told = capsys.readouterr().out
    assert "training 3 seeds together" in told
    assert "finished before" not in told


def test_what_trains_nothing_runs_seed_after_seed(tiny, tmp_path):
    run(tiny(tmp_path, "learner=scratch", "replicas=2", "adaptation.steps=2"))
    assert len(list(tmp_path.glob("pendulum-scratch-seed*/metrics.json"))) == 2


def test_a_training_that_fails_is_named_by_its_seed_in_one_line(tiny, tmp_path):
    with pytest.raises(Diverged, match=r"^seed 0: the training loss is not finite at outer step \d+ of 20; .*seed 1: "):
        run(tiny(tmp_path, "optimizer.base_rate=1e30", "replicas=2"))
    assert not list(tmp_path.glob("*/metrics.json"))


def test_a_seed_that_diverges_when_it_is_repeated_loses_its_results_and_no_other_does(
    tiny, together, tmp_path, monkeypatch
):
    shutil.copytree(together[0], tmp_path / "outputs")
    keep = group.keep

    def kept(result, learner, folder):
        return keep(result | ({"diverged_at": 7} if "seed2" in folder.name else {}), learner, folder)

    monkeypatch.setattr(group, "keep", kept)
    with pytest.raises(Diverged, match=r"^seed 2: the training loss is not finite at outer step 7 of 20; .*code_rate$"):
        run(tiny(tmp_path / "outputs", "seed=1", "replicas=3", "force=true"))
    results = sorted(path.parent.name for path in (tmp_path / "outputs").glob("*/metrics.json"))
    assert [name.split("-")[2] for name in results] == ["seed1", "seed3"]


def test_a_seed_that_diverges_alone_keeps_nobody_from_ending(tiny, tmp_path, monkeypatch):
    """With nothing to train together, seeds are single runs."""
    keep = training.keep

    def kept(result, learner, folder):
        return keep(result | ({"diverged_at": 7} if "seed0" in folder.name else {}), learner, folder)

    monkeypatch.setattr(training, "keep", kept)
    monkeypatch.setattr(group, "train_seeds", lambda *_: (set(), {}))
    with pytest.raises(Diverged, match=r"^seed 0: the training loss is not finite at outer step 7"):
        run(tiny(tmp_path, "replicas=2"))
    assert len(list(tmp_path.glob("*seed1*/metrics.json"))) == 1


def test_the_number_of_seeds_must_be_positive(tiny, tmp_path):
    with pytest.raises(ConfigError, match="replicas must be at least 1, got 0"):
        run(tiny(tmp_path, "replicas=0"))
