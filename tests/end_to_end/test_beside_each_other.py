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
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from omegaconf import OmegaConf
from processes import begin

from metastruct.config.facts import CONF
from metastruct.running.experiment import run

ROOT = CONF.parent
LONG = ("trainer.steps=60", "trainer.steps_per_epoch=3", "trainer.checkpoint_seconds=0")
LOAD = """
import sys, glob, metastruct
for path in glob.glob(sys.argv[1] + "/pendulum-*-seed0-*"):
    try:
        print(metastruct.load(path).adapt([[0.1, 0.2]], [[0.2, -0.1]]).code)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1)
"""
ROWS = "system=pendulum rank=5 adaptation=levenberg_marquardt"  # which tables do only if told
TABLE = {"title": "Two seeds", "order": 1, "blocks": [{"seeds": [0, 1], "cross": [[ROWS]]}]}
KINDS = ("run", "shots", "force", "replicas", "replicas with force", "sweep", "reproduce", "report", "load")
LEAVES = {  # the seed 0, that with other shots and the seed 1, as `alone` has them
    **{kind: [0] for kind in ("run", "force")},
    "shots": [1],
    **{kind: [0, 2] for kind in ("replicas", "replicas with force", "sweep", "reproduce")},
    **{kind: [] for kind in ("report", "load")},
}
DELAYS = int(os.environ.get("METASTRUCT_DELAYS", "1"))
LATEST = 2.0  # seconds from one command to the next; a run takes one or two


@pytest.fixture(scope="module")
def command_of(tiny_words, tmp_path_factory) -> Callable[[str, Path], list[str | Path]]:
    """The words of each kind of command."""
    tables = tmp_path_factory.mktemp("tables")
    (tables / "table").mkdir()
    OmegaConf.save(TABLE, tables / "table" / "two_seeds.yaml")

    def words(kind: str, outputs: Path) -> list[str | Path]:
        train, tail = ROOT / "train.py", [*tiny_words, *LONG, f"outputs={outputs}"]
        small = [f"with={word}" for word in (*tiny_words, *LONG) if word != "logger=none"]
        places = [f"outputs={outputs}", f"reference={outputs / 'reference'}"]
        return {
            "run": [train, *tail],
            "shots": [train, *tail, "shots=9"],
            "force": [train, *tail, "force=true"],
            "replicas": [train, *tail, "replicas=2"],
            "replicas with force": [train, *tail, "replicas=2", "force=true"],
            "sweep": [train, "-m", *tail, "seed=0,1"],
            "reproduce": [
                ROOT / "scripts" / "reproduce.py",
                "--config-dir",
                tables,
                *places,
                *small,
            ],
            "report": [ROOT / "scripts" / "report.py", outputs / "reference"],
            "load": ["-c", LOAD, outputs],
        }[kind]

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


@pytest.fixture(scope="module")
def alone(tiny, tmp_path_factory) -> tuple[Path, dict[str, list[tuple[str, ...]]]]:
    """The outputs of the runs by themselves, one after another, and what they measured."""
    outputs = tmp_path_factory.mktemp("alone") / "outputs"
    (outputs / "reference").mkdir(parents=True)
    names = [run(tiny(outputs, *LONG, *words)).path.name for words in ((), ("shots=9",), ("seed=1",))]
    measured = values(outputs)
    return outputs, {name: measured[name] for name in names}


@pytest.fixture
def together(command_of, alone, bare_environment, tmp_path) -> Callable[[tuple[str, ...], float, bool], None]:
    """Starts commands so many seconds from each other, in an empty outputs folder or that of the runs alone."""

    def tried(kinds: tuple[str, ...], delay: float, there: bool) -> None:
        outputs, (before, expected) = tmp_path / "outputs", alone
        if there:
            shutil.copytree(before, outputs)
        else:
            (outputs / "reference").mkdir(parents=True)
        commands = []
        for kind in kinds:
            commands.append((kind, begin(command_of(kind, outputs), tmp_path, bare_environment)))
            time.sleep(delay)
        for kind, command in commands:
            check_end(kind, command.result(), (kinds, delay, there))
        measured = values(outputs)
        names = [*expected]
        assert {*measured} <= {*names}
        assert {*measured} >= {names[number] for kind in kinds for number in LEAVES[kind]}
        for name, rows in measured.items():
            same = close(rows, expected[name]) if "replicas" in " ".join(kinds) else rows == expected[name]
            assert same, (kinds, delay, there, name)
            assert (outputs / name / "metrics.json").exists(), (kinds, delay, there, name)
        assert not list(outputs.rglob(".writing"))

    return tried


def check_end(kind: str, done: CompletedProcess[str], case: object) -> None:
    """With its result, or one clear line."""
    told = [line for line in done.stderr.splitlines() if line.strip()]
    for word in ("Traceback", "Checkpoint file not found", ".writing", "Errno"):
        assert word not in done.stdout + done.stderr, (case, kind, done.stderr)
    if kind == "load":
        assert done.returncode in (0, 1), (case, told)
        assert len(told) == done.returncode, (case, told)
    else:
        assert done.returncode == 0, (case, kind, done.stdout, done.stderr)


def close(ours: list[tuple[str, ...]], theirs: list[tuple[str, ...]]) -> bool:
    """The same but for round-off, as of seeds that are trained together, in batched products."""
    pairs = [(float(one[-1]), float(other[-1])) for one, other in zip(ours, theirs, strict=True)]
    named = [row[:-1] for row in ours] == [row[:-1] for row in theirs]
    return named and all(one == pytest.approx(other, rel=1e-3, abs=1e-6, nan_ok=True) for one, other in pairs)


@pytest.mark.torture
@pytest.mark.parametrize(
    ("kinds", "there"),
    [
        (("force", "replicas with force"), True),
        pytest.param(("force", "shots", "replicas with force"), False, marks=pytest.mark.torture),
        pytest.param(("force", "shots", "replicas with force"), True, marks=pytest.mark.torture),
    ],
)
def test_forced_runs_take_nothing_from_others(together, kinds, there):
    together(kinds, 0.4, there)


@pytest.mark.torture
@pytest.mark.parametrize("number", range(DELAYS))
@pytest.mark.parametrize("pair", itertools.combinations_with_replacement(KINDS, 2), ids=" beside ".join)
def test_every_pair_of_commands_ends_well_at_any_delay(together, pair, number):
    draw = random.Random(f"{pair}{number}")
    order = pair if draw.random() < 0.5 else pair[::-1]
    reads = {"load", "force", "replicas with force"} & {*pair}  # so that there must be something, now and then
    together(order, draw.uniform(0.0, LATEST), bool(reads) and draw.random() < 0.5)
