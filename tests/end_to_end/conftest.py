"""Runs of a few seconds, shared by the files beside this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from metastruct.config.facts import CONF
from metastruct.config.words import worded
from metastruct.sweeps.table import configured

PATIENCE = 1200  # seconds; a busy machine takes its time to import

TINY = (
    "optimizer=adam",
    *(
        "trainer.steps=20",
        "trainer.steps_per_epoch=5",
        "trainer.accelerator=cpu",
        "net.width=8",
        "modulation.code_dim=2",
    ),
    *(
        "data.train_tasks=4",
        "data.test_tasks=2",
        "data.points=20",
        "data.horizon=2",
        "shots=10",
        "learner.task_batch=4",
    ),
    *(
        "evaluation.grid=11",
        "evaluation.figures=false",
        "logger=none",
        "integrator.step_size=0.05",
    ),
)


@pytest.fixture(scope="session")
def tiny() -> Callable[..., DictConfig]:
    """The configuration of a run of a second, in an outputs folder of its own."""

    def configuration(outputs: Path, *overrides: str) -> DictConfig:
        words = [word for word in TINY if "." not in word]
        if any(word.startswith(("learner=", "experiment=")) for word in overrides):  # which choose themselves
            words.remove("optimizer=adam")
        chosen = configured(*words, *overrides)  # which composes once for all choices of the same pieces
        shrunk = [word for word in TINY if "." in word]
        known = [word for word in shrunk if OmegaConf.select(chosen, word.split("=")[0]) is not None]
        return configured(*words, *known, *overrides, f"outputs={worded(outputs)}")

    return configuration


@pytest.fixture(scope="session")
def tiny_words() -> tuple[str, ...]:
    """The same as words of a command line."""
    return TINY


@pytest.fixture(scope="session")
def bare_environment() -> dict[str, str]:
    """The environment of a person who never logged in anywhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "HYDRA"))}


@pytest.fixture(scope="session")
def first_run(tiny, tmp_path_factory):
    """A finished run with figures: its folder object and its outputs folder."""
    from metastruct.running.experiment import run

    outputs = tmp_path_factory.mktemp("first") / "outputs"
    return run(tiny(outputs, "evaluation.figures=true")), outputs


def listen() -> None:
    """Hear Ctrl-C also where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(tiny_words) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts scripts/reproduce.py in a process; whatever is left of it ends with the test."""
    processes: list[subprocess.Popen[str]] = []

    def started(outputs: Path, *words: str) -> subprocess.Popen[str]:
        folders = (f"outputs={outputs}", f"reference={outputs / 'reference'}")
        rapid = (*tiny_words, "evaluation.steps=5")  # of the tables' gradient steps
        small = [f"with={word}" for word in rapid if word not in ("logger=none", "optimizer=adam")]
        command = [sys.executable, str(CONF.parent / "scripts" / "reproduce.py"), *folders, *small, *words]
        own = {"process_group": 0, "preexec_fn": listen}
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **own))
        return processes[-1]

    yield started
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Waits until a condition is met."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    return wait
