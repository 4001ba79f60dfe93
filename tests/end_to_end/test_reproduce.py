"""Sweeps of tiny runs, for real: failures, crashes, several commands at once, Ctrl-C."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from omegaconf import OmegaConf

from metastruct.config.facts import CONF
from metastruct.config.folders import VARIABLE
from metastruct.runs.folder import RunFolder
from metastruct.runs.tables import as_csv
from metastruct.sweeps import table as tables
from metastruct.sweeps.collect import collect
from metastruct.sweeps.command import main
from metastruct.sweeps.launchers.gpu_pool import GpuPool, visible_gpus
from metastruct.sweeps.launchers.launcher import Job, Outcome

SCRIPT = str(CONF.parent / "scripts" / "reproduce.py")
LONG = ("trainer.steps=1000000", "trainer.compile=never", "trainer.checkpoint_seconds=0.5")


@pytest.fixture
def reproduce(tiny_words, tmp_path, monkeypatch):
    """Runs scripts/reproduce.py, in this process, on a table of these settings."""
    monkeypatch.chdir(tmp_path)

    def run(*settings: str, words: tuple[str, ...] = (), seeds: tuple[int, ...] = (0,)) -> int:
        folder = tmp_path / "conf" / "table"
        folder.mkdir(parents=True, exist_ok=True)
        small = " ".join(
            word for word in (*tiny_words, "evaluation.steps=5") if word != "logger=none"
        )  # which a sweep says by itself
        blocks = [{"seeds": [*seeds], "cross": [[small], [*settings]]}]
        OmegaConf.save({"title": "a table", "order": 1, "blocks": blocks}, folder / "own.yaml")
        monkeypatch.setenv(VARIABLE, str(tmp_path / "conf"))
        return main(["table=own", "slots=2", *words])

    return run


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_failure_is_listed_stops_no_other_run_and_is_retried_on_demand(reproduce, tmp_path, capfd):
    settings = ("modulation=shift", "modulation=shift optimizer=sgd optimizer.base_rate=2", "modulation=camel")
    assert reproduce(*settings) == 1
    said = capfd.readouterr().out
    reference = tmp_path / "outputs" / "reference" / "own"
    assert "[3/3, 1 failed]" in said
    assert [line["modulation"] for line in rows(reference / "runs.csv")] == ["shift", "camel"]
    (failure,) = rows(reference / "failed.csv")
    assert "optimizer.base_rate=2" in failure["overrides"]
    assert "the training loss is not finite" in failure["error"]
    records = rows(reference / "records.csv")
    assert {row["run"] for row in records} == {line["run"] for line in rows(reference / "runs.csv")}
    assert {row["component"] for row in records} == {""}
    assert {"field_error", "trajectory_error"} <= {row["metric"] for row in records}
    assert json.loads((reference / "provenance.json").read_text())["runs"] == 2

    assert reproduce(*settings) == 1
    assert "runs ended" not in capfd.readouterr().out  # nothing was run again
    assert reproduce(*settings, words=("retry=true",)) == 1
    assert "[1/1, 1 failed]" in capfd.readouterr().out


@pytest.mark.torture
def test_results_on_record_outlive_their_run_folders_but_not_their_place_in_the_table(reproduce, tmp_path):
    settings = ("modulation=shift", "modulation=camel")
    assert reproduce(*settings) == 0
    reference = tmp_path / "outputs" / "reference" / "own"
    before = [rows(reference / name) for name in ("records.csv", "runs.csv")]
    shutil.rmtree(tables.table("own", tmp_path / "outputs").jobs[1].folder)
    assert collect(tables.table("own", tmp_path / "outputs"), {}, reference, "again") == 2
    assert [rows(reference / name) for name in ("records.csv", "runs.csv")] == before
    assert (told := json.loads((reference / "provenance.json").read_text()))["runs"] == 2
    assert (
        told["command"] == "python scripts/reproduce.py table=own slots=2"
    )  # the same results come from where they came from

    of_an_older_version = [{name: row[name] for name in row if name != "noise"} for row in before[1]]
    (reference / "runs.csv").write_text(as_csv(of_an_older_version))
    assert collect(tables.table("own", tmp_path / "outputs"), {}, reference, "again") == 2
    assert [line["noise"] for line in rows(reference / "runs.csv")] == [before[1][0]["noise"], ""]
    assert json.loads((reference / "provenance.json").read_text())["command"] == "again"

    assert reproduce("modulation=shift") == 0
    assert [line["modulation"] for line in rows(reference / "runs.csv")] == ["shift"]
    assert len(rows(reference / "records.csv")) < len(before[0])


@pytest.mark.torture
def test_seeds_that_are_trained_together_leave_what_each_leaves_alone(reproduce, tmp_path, capfd):
    settings = ("modulation=shift", "modulation=shift shots=5", "modulation=shift optimizer=sgd optimizer.base_rate=2")
    assert reproduce(*settings, words=("replicas=2",), seeds=(0, 1, 2)) == 1
    said = capfd.readouterr().out
    assert "[9/9, 3 failed]" in said
    reference = tmp_path / "outputs" / "reference" / "own"
    assert len(rows(reference / "failed.csv")) == 3
    together = rows(reference / "records.csv")
    logs = [path.read_text() for path in tmp_path.glob("outputs/*-seed0-*/log.txt")]
    assert sum("training 2 seeds together" in log for log in logs) == 2  # shots=5 finds them trained

    for folder in ("reference", "training"):
        shutil.rmtree(tmp_path / "outputs" / folder)
    for folder in tmp_path.glob("outputs/*-seed*"):
        shutil.rmtree(folder)
    assert reproduce(*settings, seeds=(0, 1, 2)) == 1
    alone = rows(reference / "records.csv")
    assert [row | {"value": ""} for row in together] == [row | {"value": ""} for row in alone]
    found, expected = ([float(row["value"]) for row in records] for records in (together, alone))
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.torture
def test_a_process_that_dies_fails_its_own_run_only(reproduce, wait_until, tmp_path, capfd):
    def kill() -> None:
        """The process that trains the long run, and no other."""
        wait_until(lambda: [*tmp_path.glob("outputs/training/*/step-*.ckpt")] != [])
        for checkpoint in tmp_path.glob("outputs/training/*/step-*.ckpt"):
            if holder := holder_of(checkpoint.with_name(".claim")):
                os.kill(holder, signal.SIGKILL)
                return

    thread = Thread(target=kill)
    thread.start()
    assert reproduce("modulation=shift trainer.steps=20000 trainer.checkpoint_seconds=0.2", "modulation=camel") == 1
    thread.join()
    (failure,) = rows(tmp_path / "outputs" / "reference" / "own" / "failed.csv")
    assert "its process ended with SIGKILL, see" in failure["error"]
    assert len(rows(tmp_path / "outputs" / "reference" / "own" / "runs.csv")) == 1


@pytest.mark.parametrize("error", [EOFError("unexpected EOF"), ConnectionResetError(104, "reset")])
def test_runs_that_cannot_begin_are_told_in_one_line(reproduce, monkeypatch, capfd, error):
    def starts(process):
        raise error

    monkeypatch.setattr("multiprocessing.context.ForkServerProcess.start", starts)
    assert reproduce("modulation=shift") == 1
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "runs ended before they began, for the reason above; mend that, and the same command goes on" in said


PYTHONS = {
    "usual": {},
    "another order of sets, no assertions": {"PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "2"},
    "warnings that are errors": {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"},
    "a safe path and letters of one kind": {
        "PYTHONSAFEPATH": "1",
        "PYTHONIOENCODING": "ascii:strict",
        "PYTHONUTF8": "0",
    },
    "no bytecode, no buffer": {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"},
}


@pytest.mark.torture
def test_nor_do_variables_of_python_change_what_workers_leave(tiny_words, tmp_path):
    blocks = [{"seeds": [0], "cross": [[" ".join(w for w in tiny_words if w != "logger=none")], ["modulation=shift"]]}]
    (tmp_path / "conf" / "table").mkdir(parents=True)
    OmegaConf.save({"title": "a table", "order": 1, "blocks": blocks}, tmp_path / "conf" / "table" / "own.yaml")
    left = {}
    for number, (name, variables) in enumerate(PYTHONS.items()):
        surroundings = os.environ | {VARIABLE: str(tmp_path / "conf")} | variables
        places = f"outputs=o{number}", f"reference=r{number}"
        command = [sys.executable, SCRIPT, "table=own", "slots=1", *places]
        done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True)
        assert done.returncode == 0, (name, done.stderr)
        left[name] = (tmp_path / f"r{number}" / "own" / "records.csv").read_text()
    assert {*left.values()} == {left["usual"]}


@pytest.mark.torture
@pytest.mark.parametrize("most", [3_000, 9_000])
def test_runs_whose_files_may_not_be_so_large_fail_and_go_on(tiny_words, tmp_path, most):
    """A limit of the system that the processes of a sweep inherit."""
    settings = "modulation=shift", "modulation=camel"
    blocks = [{"seeds": [0], "cross": [[" ".join(w for w in tiny_words if w != "logger=none")], [*settings]]}]
    (tmp_path / "conf" / "table").mkdir(parents=True)
    OmegaConf.save({"title": "a table", "order": 1, "blocks": blocks}, tmp_path / "conf" / "table" / "own.yaml")
    surroundings = os.environ | {VARIABLE: str(tmp_path / "conf"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, SCRIPT, "table=own", "slots=1"]

    def ended(limit: int) -> subprocess.CompletedProcess[str]:
        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

        return subprocess.run(
            command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, preexec_fn=limited
        )

    told = ended(most)
    assert told.returncode == 1
    assert told.stdout.count("cannot be used: file too large; raise the limit of a file's size, ulimit -f") == 4
    assert "Traceback" not in told.stdout + told.stderr
    command.append("retry=true")
    assert ended(resource.RLIM_INFINITY).returncode == 0
    assert len(rows(tmp_path / "outputs" / "reference" / "own" / "runs.csv")) == 2


def holder_of(path: Path) -> int | None:
    """The process that holds the lock of a file, as Linux lists it."""
    inode = path.stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        _, kind, _, _, pid, where, *_ = line.replace("-> ", "").split()
        if kind == "FLOCK" and int(where.rpartition(":")[2]) == inode:
            return int(pid)
    return None


@pytest.mark.torture
def test_two_commands_at_once_share_the_runs_and_do_none_twice(start, tmp_path):
    both = [start(tmp_path, "table=morse", "slots=1", "seeds=0", "steps=200") for _ in range(2)]
    said = [process.communicate(timeout=1200)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    done = [line.split()[1] for text in said for line in text.splitlines() if line.startswith("[")]
    assert len(done) == len(set(done)) == 7
    assert sorted(done) == sorted(path.parent.name for path in tmp_path.glob("*/metrics.json"))
    assert len(rows(tmp_path / "reference" / "morse" / "runs.csv")) == 7


@pytest.mark.torture
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_sweep_that_is_ended_leaves_no_process_behind(start, wait_until, tmp_path, how):
    process = start(tmp_path, "table=morse", "slots=2", "seeds=0", *(f"with={word}" for word in LONG))
    wait_until(lambda: len([*tmp_path.glob("training/*/step-*.ckpt")]) >= 2)
    claims = [*tmp_path.glob("training/*/.claim")]
    assert sum(holder_of(claim) is not None for claim in claims) == 2
    process.send_signal(how)
    said = process.communicate(timeout=1200)[0]
    assert process.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    assert ("interrupted; the same command goes on" in said) == (how != signal.SIGKILL)
    wait_until(lambda: not any(holder_of(claim) for claim in claims))
    assert not [*tmp_path.glob("*/error.txt")]


SIGNALLED = """
import os, signal, sys
from pathlib import Path
from metastruct.sweeps.launchers.gpu_pool import GpuPool
from metastruct.sweeps.launchers.launcher import Job

def signal_all(outcome):
    print(outcome.error, flush=True)
    if outcome.job is first:
        os.killpg(0, signal.SIGUSR2)

signal.signal(signal.SIGUSR2, lambda *_: print("heard", flush=True))
words = sys.argv[1:]
first, *others = (Job((*words, f"seed={seed}"), Path(f"log{seed}")) for seed in range(3))
GpuPool(slots=2).launch([[first], others], signal_all)
"""


@pytest.mark.torture
def test_only_the_command_hears_a_signal_of_the_batch_system(tiny_words, tmp_path):
    command = [sys.executable, "-c", SIGNALLED, *tiny_words, "trainer.steps=600"]
    done = subprocess.run(
        command, cwd=tmp_path, start_new_session=True, capture_output=True, text=True, timeout=600, check=True
    )
    assert sorted(done.stdout.splitlines()) == ["None"] * 3 + ["heard"]


@pytest.mark.torture
def test_no_memory_passes_from_one_run_to_the_next(tiny_words, tmp_path, monkeypatch):
    """The same run alone and after another in the same pool ends with the same numbers."""
    monkeypatch.chdir(tmp_path)
    outcomes: list[Outcome] = []

    def job(name: str, *words: str) -> Job:
        return Job((*tiny_words, *words, f"outputs={tmp_path / name}"), tmp_path / name / "log")

    GpuPool(slots=1).launch([[job("a", "seed=1"), job("a")], [job("b")]], outcomes.append)
    assert [outcome.error for outcome in outcomes] == [None] * 3
    first, second = ((run.parent / "records.csv").read_text() for name in "ab" for run in seed0(tmp_path / name))
    assert first == second


def seed0(outputs: Path) -> list[Path]:
    return [path for path in outputs.glob("*seed0*/metrics.json") if RunFolder(path.parent).finished()]


@pytest.mark.parametrize(
    ("named", "gpus", "slots_per_gpu", "expected"),
    [("3,5", None, 2, ["3", "5", "3", "5"]), ("3,5", 1, 1, ["3"]), ("", None, 4, ["", ""]), ("3", 0, 4, ["", ""])],
)
def test_slots_go_round_the_gpus_that_the_process_may_use(monkeypatch, named, gpus, slots_per_gpu, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    pool = GpuPool(gpus, slots_per_gpu, slots=2)
    assert [environment["CUDA_VISIBLE_DEVICES"] for environment in pool.environments] == expected
    assert pool.slots == len(expected)
    assert visible_gpus() == [gpu for gpu in named.split(",") if gpu]


@pytest.mark.parametrize(
    ("named", "there"),
    [("-1", 0), ("NoDevFiles", 0), ("void", 0), ("0,-1,1", 1), (" 0, 1", 2), ("GPU-8a,MIG-7/1/0", 2), ("0,nix,1", 1)],
)
def test_a_name_that_is_no_gpu_ends_the_list_as_cuda_has_it(monkeypatch, named, there):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert len(visible_gpus()) == there
