"""Weights & Biases as it comes: offline, without an account, a key or a question."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from metastruct.config import CONF

TRAIN = CONF.parent / "train.py"


@pytest.fixture(scope="module")
def tracked(tiny_words, bare_environment, tmp_path_factory) -> tuple[subprocess.CompletedProcess, Path]:
    """A run of a person who never heard of Weights & Biases, and its outputs folder."""
    home, here = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("here")
    words = [word for word in tiny_words if not word.startswith("logger")]
    result = subprocess.run(
        [sys.executable, str(TRAIN), *words, "outputs=results"],
        env=bare_environment | {"HOME": str(home)},
        cwd=here,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return result, here


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
