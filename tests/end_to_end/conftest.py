"""Runs of a few seconds, shared by the files beside this one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

TINY = (
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
    *("evaluation.steps=5", "evaluation.grid=11", "evaluation.figures=false", "logger=none"),
)


@pytest.fixture(scope="session")
def tiny(composed) -> Callable[..., DictConfig]:
    """The configuration of a run of a second, in an outputs folder of its own."""

    def configuration(outputs: Path, *overrides: str) -> DictConfig:
        groups = [word for word in overrides if "." not in word.split("=")[0]]
        settings = [word for word in overrides if word not in groups]
        chosen = composed(*groups)
        shrunk = [word for word in TINY if "." not in word or OmegaConf.select(chosen, word.split("=")[0]) is not None]
        return composed(*shrunk, *groups, *settings, f"outputs={outputs}")

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
    from metastruct.experiment import run

    outputs = tmp_path_factory.mktemp("first") / "outputs"
    return run(tiny(outputs, "evaluation.figures=true")), outputs
