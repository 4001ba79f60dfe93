"""Runs that are stopped by signals at random moments, again and again, end as one that was left alone."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest
from processes import begin

from metastruct.config.facts import CONF
from metastruct.runs.folder import RunFolder

pytestmark = pytest.mark.torture

TRAIN = CONF.parent / "train.py"
STOPS = 50
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WORDS = ("trainer.steps=150", "trainer.checkpoint_seconds=0", "evaluation.figures=true")
PASSING = ("seconds", "date", "versions", "commit", "machine")  # of metrics.json: what no two runs share


def numbers_of(outputs: Path) -> tuple[str, dict[str, object]]:
    """Records and metrics of the one run that is there."""
    (metrics,) = outputs.glob("*/metrics.json")
    content = json.loads(metrics.read_text())
    return RunFolder(metrics.parent).records.read_text(), {k: v for k, v in content.items() if k not in PASSING}


def names(outputs: Path) -> set[str]:
    """Of all that is there, but for the steps of checkpoints."""
    return {str(path.relative_to(outputs)) for path in outputs.rglob("*") if not path.name.startswith("step-")}


def test_runs_that_are_stopped_at_fifty_random_moments_end_with_the_numbers_of_one_that_was_not(
    tiny_words, bare_environment, tmp_path
):
    def start(outputs: Path):
        return begin([TRAIN, *tiny_words, *WORDS, f"outputs={outputs}"], tmp_path, bare_environment)

    assert begin(["-c", ""], tmp_path, bare_environment).result().returncode == 0  # the server is there
    began = time.monotonic()
    assert start(tmp_path / "whole").result().returncode == 0
    duration, expected = time.monotonic() - began, numbers_of(tmp_path / "whole")
    generator, stopped, finished = random.Random(0), dict.fromkeys(SIGNALS, 0), 0
    while sum(stopped.values()) < STOPS:
        outputs, left = tmp_path / f"run{finished}", 10
        while True:
            command, how = start(outputs), generator.choice(SIGNALS)
            command.process.join(generator.uniform(0, duration) if left else None)
            if not command.process.is_alive():
                assert command.result().returncode == 0
                break
            begun = outputs.exists()
            command.end(how)
            if begun and command.process.exitcode != 0:  # a run that had begun to write, and did not end by itself
                stopped[how], left = stopped[how] + 1, left - 1
        assert numbers_of(outputs) == expected
        assert names(outputs) == names(tmp_path / "whole")
        finished += 1
    print(f"{stopped} in {finished} runs of {duration:.1f} s")
    assert all(stopped.values())
