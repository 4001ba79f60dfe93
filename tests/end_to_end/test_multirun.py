"""Multiruns of train.py with a launcher of conf/launcher/."""

from __future__ import annotations

import subprocess
import sys

import pytest
from processes import begin

from metastruct.config.facts import CONF

TRAIN = CONF.parent / "train.py"


@pytest.fixture
def sweep(tiny_words, tmp_path, bare_environment):
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return begin(
            [TRAIN, "-m", *tiny_words, *words], tmp_path, bare_environment | {"TMPDIR": str(tmp_path)}
        ).result()

    return run


def test_a_multirun_goes_through_the_pool_each_run_once(sweep, tmp_path):
    words = ("modulation=shift", "rank=1,2", "seed=0,1", "hydra/launcher=gpu_pool", "hydra.launcher.slots=2")
    done = sweep(*words)
    assert done.returncode == 0, done.stderr
    assert "rank is dropped for modulation=shift" in done.stdout
    assert done.stdout.count("[2/2] ") == 1  # four words of a grid, of which each two are the same run
    folders = [path.parent for path in tmp_path.glob("outputs/*/metrics.json")]
    assert len(folders) == 2
    assert all("adapting to 2 new members" in (folder / "log.txt").read_text() for folder in folders)


@pytest.mark.torture
def test_what_is_finished_is_not_run_again(sweep):
    words = ("modulation=shift", "seed=0,1", "hydra/launcher=gpu_pool", "hydra.launcher.slots=2")
    assert sweep(*words).returncode == 0
    again = sweep(*words)
    assert again.returncode == 0
    assert again.stdout.count("finished before") == 2
    assert "[1/" not in again.stdout


@pytest.mark.torture
@pytest.mark.parametrize("folder", ["", "/nowhere/x", "long"])
def test_a_pool_needs_no_folder_for_what_is_thrown_away(tiny_words, tmp_path, bare_environment, folder):
    place = tmp_path / ("x" * 120)
    place.mkdir()
    words = [TRAIN, "-m", *tiny_words, "seed=0,1", "hydra/launcher=gpu_pool", "hydra.launcher.slots=2"]
    done = begin(words, tmp_path, bare_environment | {"TMPDIR": str(place) if folder == "long" else folder}).result()
    assert (done.returncode, done.stderr) == (0, "")
    assert len([*tmp_path.glob("outputs/*/metrics.json")]) == 2


@pytest.mark.torture
def test_failures_and_mistakes_stop_no_other_run_and_the_sweep_fails(sweep, tmp_path):
    done = sweep("optimizer=sgd", "optimizer.base_rate=2,0.004", "shots=0,10", "hydra/launcher=sequential")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: shots must be at least 1, got 0") == 2
    assert "error: 3 jobs failed: " in done.stderr
    assert "failed: the training loss is not finite" in done.stdout
    assert len([*tmp_path.glob("outputs/*/metrics.json")]) == 1


@pytest.mark.torture
def test_force_repeats_finished_runs(sweep, tmp_path):
    assert sweep("seed=0", "hydra/launcher=sequential").returncode == 0
    (metrics,) = tmp_path.glob("outputs/*/metrics.json")
    before = metrics.stat().st_mtime_ns
    done = sweep("seed=0", "force=true", "hydra/launcher=sequential")
    assert "[1/1] " in done.stdout
    assert metrics.stat().st_mtime_ns > before


@pytest.mark.torture
def test_a_job_with_replicas_trains_the_seeds_that_are_missing_together(sweep, tmp_path):
    words = ("modulation=shift", "hydra/launcher=sequential")
    assert sweep("seed=0", *words).returncode == 0
    done = sweep("seed=0", "replicas=3", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished before") == 1
    assert "[2/2] " in done.stdout
    assert len([*tmp_path.glob("outputs/*/metrics.json")]) == 3
    assert len([*tmp_path.glob("outputs/*/log.txt")]) == 2  # one process made two of them
    assert sweep("seed=0", "replicas=3", *words).stdout.count("finished before") == 3


def test_a_launcher_that_is_not_known_or_a_setting_of_it_is_a_mistake(sweep):
    for words in (["hydra/launcher=gpu_poll"], ["hydra/launcher=gpu_pool", "hydra.launcher.slotz=2"]):
        done = sweep("seed=0", *words)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr


def test_launchers_cost_the_command_line_no_heavy_import(bare_environment):
    words = ["hydra/launcher=gpu_pool", "--cfg", "hydra", "--package", "hydra.launcher"]
    command = [sys.executable, "-X", "importtime", str(TRAIN), *words]
    done = subprocess.run(command, env=bare_environment, capture_output=True, text=True, timeout=600, check=True)
    assert "slots_per_gpu: 4" in done.stdout
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "hydra" in imported
    assert not imported & {"torch", "lightning", "matplotlib", "multiprocessing.forkserver"}
