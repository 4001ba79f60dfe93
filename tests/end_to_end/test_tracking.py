"""Weights & Biases as it comes: offline, without an account, a key or a question."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from processes import begin

from metastruct.config.facts import CONF

TRAIN = CONF.parent / "train.py"


@pytest.fixture(scope="module")
def tracked(tiny_words, bare_environment, tmp_path_factory) -> tuple[subprocess.CompletedProcess, Path]:
    """A run of a person who never heard of Weights & Biases, and its outputs folder."""
    home, here = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("here")
    words = [word for word in tiny_words if not word.startswith(("logger", "evaluation.figures"))]
    command = begin([TRAIN, *words, "tag=shots", "outputs=results"], here, bare_environment | {"HOME": str(home)})
    return command.result(), here


def test_nothing_of_it_is_made_of_data_from_files_unless_somebody_asks(composed, tracked):
    files = "data=files"
    modes = [composed(*words).logger.mode for words in ((), (files,), (files, "logger=wandb"))]
    assert modes == ["offline", "disabled", "offline"]
    assert (tracked[1] / "results" / "wandb").is_dir()


def test_a_run_passes_without_an_account_and_without_a_question(tracked):
    result, here = tracked
    assert result.returncode == 0, result.stderr
    assert len(list(here.glob("results/*/metrics.json"))) == 1
    assert "wandb.ai" not in result.stdout + result.stderr
    assert "login" not in result.stdout + result.stderr


def test_the_offline_run_lies_in_the_outputs_folder_and_nowhere_else(tracked):
    _, here = tracked
    (folder,) = here.glob("results/wandb/offline-run-*")
    (log,) = folder.glob("run-*.wandb")
    content = log.read_bytes()
    assert b"train/loss" in content
    assert b"test/field_error" in content
    assert [path.name for path in here.iterdir()] == ["results"]


def test_the_console_shows_the_result_and_no_trace(tracked):
    result, _ = tracked
    assert "Traceback" not in result.stderr
    assert "pendulum" in result.stdout
    assert "svd(5)" in result.stdout


def read_back(here: Path, *flags: str) -> list[dict]:
    """What Weights & Biases itself reads from the log of the run."""
    (folder,) = here.glob("results/wandb/offline-run-*")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", *flags, "--json", str(folder)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(printed)] if flags else [json.loads(line) for line in printed.splitlines()]


@pytest.fixture(scope="module")
def run_summary(tracked) -> dict:
    return read_back(tracked[1], "--summary")[0]


def test_runs_are_grouped_by_table_and_tagged_with_what_they_are(tracked):
    (run,) = (record["run"] for record in read_back(tracked[1]) if record["type"] == "run")
    assert run["run_group"] == "shots"
    assert set(run["tags"]) == {"pendulum", "svd(5)", "auto_decoding", "hamiltonian", "seed0"}
    config = run["config"]["update"]
    assert (config["table"], config["method"], config["seed"], config["shots"]) == ("shots", "svd(5)", 0, 10)


def test_curves_are_drawn_over_the_outer_steps(tracked):
    rows = [record["history"]["item"] for record in read_back(tracked[1]) if record["type"] == "history"]
    assert [row["outer_step"] for row in rows if "train/loss" in row] == [5, 10, 15, 20]


def test_the_summary_of_a_run_holds_the_numbers_of_its_metrics_file(tracked, run_summary):
    (path,) = tracked[1].glob("results/*/metrics.json")
    metrics, logged = json.loads(path.read_text()), run_summary["summary"]
    for metric in ("field_error", "trajectory_error", "energy_drift"):
        assert logged[f"test/{metric}"] == pytest.approx(metrics[metric]["mean"], rel=1e-12)
        assert logged[f"test/{metric}_median"] == pytest.approx(metrics[metric]["median"], rel=1e-12)
    assert logged["parameters/total"] == metrics["parameters"]["base"] + metrics["parameters"]["hypernetwork"]
    assert logged["seconds/training"] == pytest.approx(metrics["seconds"]["training"])


def test_every_metric_of_every_new_member_is_in_a_table(tracked, run_summary):
    (folder,) = tracked[1].glob("results/wandb/offline-run-*")
    table = json.loads((folder / "files" / run_summary["summary"]["members"]["path"]).read_text())
    (path,) = tracked[1].glob("results/*/metrics.json")
    metrics = json.loads(path.read_text())
    assert {"member", "field_error", "trajectory_error", "energy_drift"} <= {*table["columns"]}
    place = table["columns"].index("field_error")
    assert [row[place] for row in table["data"]] == pytest.approx(metrics["field_error"]["per_task"])
    assert all(isinstance(row[0], str) for row in table["data"])


def test_model_configuration_and_records_are_an_artifact_without_a_copy_elsewhere(tracked):
    every = [record["artifact"] for record in read_back(tracked[1]) if record["type"] == "artifact"]
    (artifact,) = (each for each in every if each["type"] == "model")
    (path,) = tracked[1].glob("results/*/metrics.json")
    assert artifact["name"] == path.parent.name
    files = {entry["path"]: Path(entry["local_path"]) for entry in artifact["manifest"]["contents"]}
    assert files == {name: path.parent.resolve() / name for name in ("model.ckpt", "config.yaml", "records.csv")}


def test_every_panel_of_the_dashboard_shows_something_that_a_run_logs(run_summary):
    pytest.importorskip("wandb_workspaces")
    from metastruct.running.tracking.dashboard import dashboard, shown, spec

    entropy = "figures/entropy"  # of dissipative systems, which this run is not
    names = shown(spec(dashboard("metastruct")))
    known = set(run_summary["summary"]) | {f"config:{name}" for name in run_summary["config"]}
    assert names - known == {entropy}
    assert {"figures/phase_portrait", "test/energy_drift", "train/loss", "config:shots", "config:method"} <= names
