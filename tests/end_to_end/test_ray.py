"""A sweep on Ray, where it is installed."""

from __future__ import annotations

import signal
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
from metastruct.sweeps.launchers.ray import Ray

pytest.importorskip("ray")


def test_every_job_runs_and_a_failure_stops_no_other(tiny_words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def job(*words: str) -> Job:
        every = (*tiny_words, *words)
        cfg = composed(*every)
        return Job(every, run_folder(OmegaConf.to_container(cfg, resolve=True), method_name(cfg)).path)  # type: ignore[arg-type]

    units = [[job("seed=0"), job("seed=0", "shots=5")], [job("optimizer=sgd", "optimizer.base_rate=2")]]
    found: list[Outcome] = []
    Ray().launch(units, found.append)
    outcomes = {outcome.job: outcome.error for outcome in found}
    assert len(outcomes) == len(found) == 3
    assert "the training loss is not finite" in outcomes[units[1][0]]
    for one in units[0]:
        assert outcomes[one] is None
        assert RunFolder(one.folder).finished() is not None


def test_a_multirun_goes_through_ray(tiny_words, tmp_path):
    words = [*tiny_words, "hydra/launcher=ray", "optimizer=sgd", "optimizer.base_rate=2,0.004"]
    command = [sys.executable, str(CONF.parent / "train.py"), "-m", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1, done.stderr
    assert "failed: the training loss is not finite" in done.stdout
    assert len([*tmp_path.glob("outputs/*/metrics.json")]) == 1


def processes_with(mark: str) -> list[str]:
    """The command lines of all processes that inherited this variable."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_a_sweep_that_is_asked_to_end_leaves_no_process_behind(start, wait_until, tmp_path, monkeypatch):
    monkeypatch.setenv("METASTRUCT_TEST", str(tmp_path))
    words = ("trainer.steps=1000000", "trainer.compile=never", "trainer.checkpoint_seconds=0.5")
    process = start(tmp_path, "table=morse", "launcher=ray", *(f"with={word}" for word in words))
    monkeypatch.delenv("METASTRUCT_TEST")
    wait_until(lambda: [*tmp_path.glob("training/*/step-*.ckpt")])
    mark = f"METASTRUCT_TEST={tmp_path}"
    assert len(processes_with(mark)) > 3
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=1200)[0]
    assert process.returncode == 130
    assert "interrupted; the same command goes on" in said
    wait_until(lambda: not processes_with(mark))
