"""A sweep that is killed ten times at random moments and then finished. Run with `make torture`."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from metastruct.config.facts import CONF

pytestmark = pytest.mark.torture

KILLS = 10
SWEEP = ("table=morse", "slots=2", "with=trainer.steps=2000", "with=trainer.checkpoint_seconds=0.2")


def kill_all(process: subprocess.Popen[str]) -> None:
    """`kill -9` of the command, its server and its runs at once."""
    os.killpg(process.pid, signal.SIGKILL)


def kill_the_command(process: subprocess.Popen[str]) -> None:
    process.kill()


def end_the_command(process: subprocess.Popen[str]) -> None:
    process.terminate()


def interrupt_all(process: subprocess.Popen[str]) -> None:
    """Ctrl-C in a terminal."""
    os.killpg(process.pid, signal.SIGINT)


WAYS: list[Callable[[subprocess.Popen[str]], None]] = [kill_all, kill_all, kill_the_command, end_the_command]
WAYS.append(interrupt_all)


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def listen() -> None:
    """Hear Ctrl-C also where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(tiny_words) -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Starts the sweep in a group of processes; whatever is left of it ends with the test."""
    small = [f"with={word}" for word in tiny_words if word != "logger=none" and "trainer.steps=" not in word]
    processes: list[subprocess.Popen[str]] = []

    def started(outputs: Path) -> subprocess.Popen[str]:
        script = str(CONF.parent / "scripts" / "reproduce.py")
        command = [sys.executable, script, *small, *SWEEP, f"outputs={outputs}", f"reference={outputs}/reference"]
        with open(outputs.with_suffix(".log"), "a") as log:
            own = {"stdout": log, "stderr": log, "process_group": 0, "preexec_fn": listen}
            processes.append(subprocess.Popen(command, text=True, **own))
        return processes[-1]

    yield started
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_for_progress(outputs: Path, more: int, process: subprocess.Popen[str]) -> None:
    """Until the sweep trains and has finished so many more runs."""
    began, finished = time.time(), len([*outputs.glob("*/metrics.json")])

    def at_work() -> bool:
        return any(path.stat().st_mtime > began for path in outputs.glob("training/*/step-*.ckpt"))

    while process.poll() is None:
        if len([*outputs.glob("*/metrics.json")]) >= finished + more and at_work():
            return
        time.sleep(0.02)


def test_a_sweep_that_is_killed_ten_times_ends_with_the_same_records(start, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait(timeout=3600) == 0
    draw = random.Random(0)
    for number in range(KILLS):
        process = start(killed)
        if number % 5 != 2:  # else it is killed while it plans or imports
            wait_for_progress(killed, draw.choice([0, 1, 2]), process)
        time.sleep(draw.uniform(0, 1.5))
        assert process.poll() is None, "the sweep was over before it was killed ten times"
        WAYS[number % len(WAYS)](process)
        process.wait(timeout=1200)
    assert start(killed).wait(timeout=3600) == 0

    for name, key in (("records.csv", ("run", "task", "metric")), ("runs.csv", ("run",))):
        ours, theirs = (rows(outputs / "reference" / "morse" / name) for outputs in (killed, whole))
        assert len(ours) == len(theirs) == len({tuple(row[part] for part in key) for row in ours})
        if name == "records.csv":
            assert ours == theirs
    assert not (killed / "reference" / "morse" / "failed.csv").exists()
    folders = [sorted(path.parent.name for path in outputs.glob("*/metrics.json")) for outputs in (killed, whole)]
    assert folders[0] == folders[1]
    assert any("going on from" in path.read_text() for path in killed.glob("*/log.txt"))
