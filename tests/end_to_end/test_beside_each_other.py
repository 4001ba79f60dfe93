"""Commands beside each other in one outputs folder: each ends with its result or one clear line.

Every pair of commands is started at a random delay by `make torture`, with METASTRUCT_DELAYS delays a pair (one, unless
it says more); the most dangerous commands are tested always.
"""

from __future__ import annotations

import csv
import itertools
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metastruct.experiment import run
from metastruct.facts import CONF

ROOT = CONF.parent
LONG = ("trainer.steps=400", "trainer.steps_per_epoch=5", "trainer.checkpoint_seconds=0")
LOAD = """
import sys, glob, metastruct
for path in glob.glob(sys.argv[1] + "/pendulum-*-seed0-*"):
    try:
        print(metastruct.load(path).adapt([[0.1, 0.2]], [[0.2, -0.1]]).code)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1)
"""
KINDS = ("run", "shots", "force", "replicas", "replicas with force", "sweep", "reproduce", "report", "load")
DELAYS = int(os.environ.get("METASTRUCT_DELAYS", "1"))


@pytest.fixture(scope="module")
def command_of(tiny_words):
    """The words of each kind of command."""

    def words(kind: str, outputs: Path) -> list[str]:
        train = [sys.executable, str(ROOT / "train.py")]
        tail = [*tiny_words, *LONG, f"outputs={outputs}"]
        small = [f"with={word}" for word in (*tiny_words, *LONG) if word != "logger=none"]
        places = [f"outputs={outputs}", f"reference={outputs / 'reference'}"]
        return {
            "run": [*train, *tail],
            "shots": [*train, *tail, "shots=9"],
            "force": [*train, *tail, "force=true"],
            "replicas": [*train, *tail, "replicas=2"],
            "replicas with force": [*train, *tail, "replicas=2", "force=true"],
            "sweep": [*train, "-m", *tail, "seed=0,1"],
            "reproduce": [sys.executable, str(ROOT / "scripts" / "reproduce.py"), "table=main_job", "seeds=0", *places,
                          *small],
            "report": [sys.executable, str(ROOT / "scripts" / "report.py"), str(outputs / "reference")],
            "load": [sys.executable, "-c", LOAD, str(outputs)],
        }[kind]  # fmt: skip

    return words


def values(outputs: Path) -> dict[str, list[tuple[str, ...]]]:
    """What each run folder measured."""
    found = {}
    for path in sorted(outputs.glob("*/records.csv")):
        if not (path.parent / "config.yaml").exists():
            continue
        with open(path, newline="") as file:
            found[path.parent.name] = [
                (row["task"], row["component"], row["metric"], row["value"]) for row in csv.DictReader(file)
            ]
    return found


def ended(words: list[str], cwd: Path) -> subprocess.Popen[str]:
    surroundings = {name: text for name, text in os.environ.items() if not name.startswith(("WANDB", "HYDRA"))}
    return subprocess.Popen(words, cwd=cwd, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def alone(tiny, tmp_path_factory) -> tuple[Path, dict]:
    """The outputs of the runs by themselves, one after another."""
    outputs = tmp_path_factory.mktemp("alone") / "outputs"
    (outputs / "reference").mkdir(parents=True)
    for words in ((), ("shots=9",), ("seed=1",)):
        run(tiny(outputs, *LONG, *words))
    return outputs, values(outputs)


def close(ours: list[tuple[str, ...]], theirs: list[tuple[str, ...]]) -> bool:
    """The same but for round-off, as of seeds that are trained together, in batched products."""
    pairs = [(float(one[-1]), float(other[-1])) for one, other in zip(ours, theirs, strict=True)]
    named = [row[:-1] for row in ours] == [row[:-1] for row in theirs]
    return named and all(one == pytest.approx(other, rel=1e-3, abs=1e-6, nan_ok=True) for one, other in pairs)


def together(command_of, alone, tmp_path: Path, pair: tuple[str, ...], delay: float) -> None:
    outputs = tmp_path / "outputs"
    if {"load", "force"} & {*pair}:  # there is something to load and to force
        shutil.copytree(alone[0], outputs)
    else:
        (outputs / "reference").mkdir(parents=True)
    processes = []
    for kind in pair:
        processes.append((kind, ended(command_of(kind, outputs), tmp_path)))
        time.sleep(delay)
    for kind, process in processes:
        said, complaint = process.communicate(timeout=900)
        told = [line for line in complaint.splitlines() if line.strip()]
        assert "Traceback" not in said + complaint, (pair, delay, kind, complaint)
        for word in ("Checkpoint file not found", ".writing", "Errno"):
            assert word not in said + complaint, (pair, delay, kind, complaint)
        if kind == "load":
            assert process.returncode in (0, 1)
            assert len(told) <= 1, told
        else:
            assert process.returncode == 0, (pair, delay, kind, said, complaint)
    for name, measured in values(outputs).items():
        assert measured
        if name in alone[1]:
            same = close(measured, alone[1][name]) if "replicas" in " ".join(pair) else measured == alone[1][name]
            assert same, (pair, delay, name)
        assert (outputs / name / "metrics.json").exists() or "load" in pair, (pair, delay, name)
    assert not list(outputs.rglob(".writing"))


def test_forced_runs_take_nothing_from_others(command_of, alone, tmp_path):
    together(command_of, alone, tmp_path, ("force", "shots", "replicas with force"), 0.4)


@pytest.mark.torture
@pytest.mark.parametrize("number", range(DELAYS))
@pytest.mark.parametrize("pair", itertools.combinations_with_replacement(KINDS, 2), ids=" beside ".join)
def test_every_pair_of_commands_ends_well_at_any_delay(command_of, alone, tmp_path, pair, number):
    draw = random.Random(f"{pair}{number}")
    order = pair if draw.random() < 0.5 else pair[::-1]
    together(command_of, alone, tmp_path, order, draw.uniform(0.0, 6.0))
