"""Settings that do nothing beside the chosen pieces: every one is declared, and what is declared does nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf

from metastruct.config.schema import ConfigError, groups
from metastruct.running.experiment import run
from metastruct.running.keys import NEITHER, place
from metastruct.running.validation import validate
from metastruct.running.validation.idle import unread
from metastruct.sweeps.table import configured

SHORT = (
    *("trainer.steps=12", "trainer.steps_per_epoch=3", "trainer.accelerator=cpu", "net.width=5", "evaluation.grid=11"),
    *("data.train_tasks=3", "data.test_tasks=2", "data.points=8", "data.horizon=1", "shots=12", "learner.task_batch=2"),
    *("optimizer.warm_start=0.5", "optimizer.rows=8", "learner.inner_steps=2"),
    *("optimizer.shortest=3", "optimizer.decay=0.5", "optimizer.base_rate=0.003"),
    *(
        "learner.point_batch=4",
        "adaptation.steps=3",
        "adaptation.tolerance=1e-12",
        "evaluation.start=zero",
        "evaluation.figures=false",
        "logger=none",
    ),
)


FAR = {  # values that are seen in a short run
    "optimizer.rows": 16,
    "optimizer.every": 2,
    "optimizer.longest": 2,
    "optimizer.shortest": 8,
    "adaptation.tolerance": 100.0,
    "adaptation.damping": 10.0,
    "adaptation.screening": 1,
}
UNSEEN = (
    "learner.may_diverge",
    "optimizer.least_damping",
    "adaptation.starts",
)  # bounds, and starts that are not better


def short(outputs: Path, *words: str) -> DictConfig:
    """A run of half a second; settings that its pieces do not have are left out."""
    choices = [word for word in (*SHORT, *words) if "." not in word.partition("=")[0]]
    chosen = configured(*choices)
    values = [
        w for w in (*SHORT, *words) if w not in choices and OmegaConf.select(chosen, w.partition("=")[0]) is not None
    ]
    return configured(*choices, *values, f"outputs={outputs}")


def numbers(cfg: DictConfig) -> object:
    """Everything that a run measured, and what its figures draw."""
    folder = run(cfg)
    with open(folder.records, newline="") as file:
        rows = [(row["task"], row["component"], row["metric"], row["value"]) for row in csv.DictReader(file)]
    with np.load(folder.evaluation) as arrays:
        return rows, {name: arrays[name].tobytes() for name in sorted(arrays)}


def other(value: object) -> object:
    """Another value of the same kind, that most laws allow."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return 0.7 * value if value else 0.01
    return None


def changes(cfg: DictConfig, group: str) -> list[tuple[str, object]]:
    """The settings of a group that a key depends on, each with another value."""
    piece = cfg[group]
    keys = [f"{group}.{key}" for key in piece if key not in ("name", "_target_")]
    pairs = [
        (key, FAR.get(key, other(OmegaConf.select(cfg, key))))
        for key in keys
        if place(key) != NEITHER and key not in UNSEEN
    ]
    return [(key, value) for key, value in pairs if value is not None]


CASES = [
    *(
        (("learner", name), ("learner", "optimizer", "locality", "trainer", "evaluation"))
        for name in groups()["learner"]
    ),
    *((("optimizer", name), ("optimizer", "locality")) for name in groups()["optimizer"]),
    *((("adaptation", name), ("adaptation", "evaluation")) for name in groups()["adaptation"]),
    *((("modulation", name), ("modulation", "locality")) for name in groups()["modulation"]),
]


@pytest.mark.torture
@pytest.mark.parametrize(
    ("choice", "places"), CASES, ids=lambda case: "=".join(case) if isinstance(case[0], str) else ""
)
def test_a_setting_does_something_or_is_declared_idle(accepted, tmp_path, choice, places):
    words = *accepted(*choice), *(("trainer.steps=60",) if choice[0] == "adaptation" else ())  # or all starts are near
    cfg = short(tmp_path, *words)
    validate(cfg)
    before, idle = numbers(cfg), dict(unread(cfg))
    wrong = []
    for group in places:
        for key, value in changes(cfg, group):
            changed = short(tmp_path, *words)
            OmegaConf.update(changed, key, value)
            try:
                validate(changed)
            except ConfigError:
                continue
            declared = any(f"{key}.".startswith(f"{name}.") for name in idle)
            if (numbers(changed) == before) != declared:
                wrong.append((key, value, declared))
    assert not wrong
