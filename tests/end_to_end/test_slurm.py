"""Sweeps on a real SLURM: arrays, failures, timeouts. Run with `pytest -m slow` where sbatch is; see docs/sweeps.md."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from metastruct.config.facts import CONF
from metastruct.config.schema import composed, method_name
from metastruct.running.places import run_folder
from metastruct.runs.folder import RunFolder
from metastruct.sweeps.launchers.launcher import Job, Outcome
from metastruct.sweeps.launchers.slurm import Slurm

pytest.importorskip("submitit")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("sbatch") is None, reason="no SLURM here; tests/slurm_localhost.sh starts one"),
]

TRAIN = CONF.parent / "train.py"
LONG = ("trainer.steps=20000", "trainer.checkpoint_seconds=1")  # 20 seconds or more


@pytest.fixture
def job(tiny_words, tmp_path, monkeypatch):
    """Makes a job of some words, in an outputs folder that the nodes of the cluster see as well."""
    monkeypatch.chdir(tmp_path)

    def made(*words: str, outputs: str = "outputs") -> Job:
        every = (*tiny_words, *words, f"outputs={outputs}")
        cfg = composed(*every)
        return Job(every, run_folder(OmegaConf.to_container(cfg, resolve=True), method_name(cfg)).path)  # type: ignore[arg-type]

    return made


def launch(units, **settings) -> dict[Job, Outcome]:
    outcomes: list[Outcome] = []
    Slurm(folder="logs", **settings).launch(units, outcomes.append)
    assert len({outcome.job for outcome in outcomes}) == len(outcomes)
    return {outcome.job: outcome for outcome in outcomes}


def test_an_array_runs_every_job_and_a_failure_stops_no_other(job):
    units = [
        [job("seed=0"), job("seed=0", "shots=5")],
        [job("optimizer=sgd", "optimizer.base_rate=2")],
        [job("seed=1")],
    ]
    outcomes = launch(units, units_per_element=1)
    assert len(outcomes) == 4
    assert "the training loss is not finite" in outcomes[units[1][0]].error
    for one in (*units[0], *units[2]):
        assert outcomes[one].error is None
        assert RunFolder(one.folder).finished() is not None


def test_an_element_sees_only_the_gpu_that_slurm_gave_to_it(job):
    one = job()
    launch([[one]], gpus_per_node=1, slots_per_gpu=3)  # of a node with two
    assert RunFolder(one.folder).finished() is not None
    (log,) = Path("logs").glob("*/*_log.out")
    assert re.search(r"3 slots, GPUs: \d$", log.read_text(), re.MULTILINE)


def test_jobs_that_were_submitted_are_followed_not_repeated(job):
    units = [[job("seed=0")], [job("seed=1")]]
    assert launch(units, wait=False) == {}
    outcomes = launch(units)
    assert [outcome.error for outcome in outcomes.values()] == [None, None]
    assert len([*Path("logs").glob("*/*.sh")]) == 1


def test_a_job_is_requeued_after_a_timeout_and_ends_with_the_same_numbers(job):
    on_cluster, here = job(*LONG), job(*LONG, outputs="here")
    early = {"slurm_signal_delay_s": 40}  # before the end of the only minute
    outcomes = launch([[on_cluster]], timeout_min=1, extra=early)
    assert outcomes[on_cluster].error is None
    assert "going on from" in on_cluster.log.read_text()
    subprocess.run([sys.executable, str(TRAIN), *here.overrides], check=True, capture_output=True, timeout=300)
    assert (on_cluster.folder / "records.csv").read_text() == (here.folder / "records.csv").read_text()


def test_a_job_that_may_not_be_requeued_is_reported_with_the_reason(job):
    endless = job("trainer.steps=10000000", "trainer.compile=never")
    outcomes = launch([[endless]], timeout_min=2, max_num_timeout=0)  # SLURM may signal a minute too early
    assert "timed-out too many times" in outcomes[endless].error


def test_a_table_is_reproduced_on_the_cluster(start, tmp_path):
    words = ("table=morse", "launcher=slurm", "seeds=0", "cpus_per_task=2", f"folder={tmp_path / 'slurm'}")
    process = start(tmp_path, *words)
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 0, said
    assert "[7/7] " in said
    with open(tmp_path / "reference" / "morse" / "runs.csv", newline="") as file:
        assert len({row["run"] for row in csv.DictReader(file)}) == 7


@pytest.mark.parametrize("launcher", ["slurm", "submitit_slurm"])
def test_a_sweep_of_hydra_runs_on_the_cluster_and_fails_if_a_job_does(tiny_words, tmp_path, launcher):
    words = [*tiny_words, f"hydra/launcher={launcher}", "hydra.sweep.dir=multirun", "hydra.launcher.timeout_min=5"]

    def sweep(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(TRAIN), "-m", *more, *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)

    done = sweep("rank=1,2")
    assert done.returncode == 0, done.stderr
    assert len([*tmp_path.glob("outputs/*/metrics.json")]) == 2
    failed = sweep("optimizer=sgd", "optimizer.base_rate=2,0.004")
    assert failed.returncode == 1
    assert "the training loss is not finite" in failed.stdout + failed.stderr
    assert len([*tmp_path.glob("outputs/*/metrics.json")]) == 3
