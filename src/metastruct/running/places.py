"""Which folder a run and its training have, by their two keys."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metastruct.running.keys import evaluation_key, training_key
from metastruct.runs.digest import digest
from metastruct.runs.folder import RunFolder


def readable(system: str, method: str, seed: int | str, key: str) -> str:
    """A folder name that says what is inside, such as pendulum-svd5-seed0-1a2b3c4d."""
    return f"{system}-{re.sub(r'[^a-z0-9_]', '', method)}-seed{seed}-{key}"


def family_name(cfg: Mapping[str, Any]) -> str:
    """What is studied, as tables name it: the system, or the data where nobody knows their law."""
    return str((cfg["system"] or cfg["data"])["name"])


def run_folder(cfg: Mapping[str, Any], method: str) -> RunFolder:
    """Where the results of a resolved configuration go."""
    name = readable(family_name(cfg), method, cfg["seed"], evaluation_key(cfg))
    return RunFolder(Path(cfg["outputs"]) / name)


def training_folder(cfg: Mapping[str, Any], method: str) -> Path:
    """Where its training is kept."""
    name = readable(family_name(cfg), method, cfg["seed"], training_key(cfg))
    return Path(cfg["outputs"]) / "training" / name


def group_folder(trainings: Sequence[Path]) -> Path:
    """Where several trainings that differ in their seed alone go on together, from the folders of each."""
    first, last = trainings[0].name.rpartition("-")[0], trainings[-1].name.rsplit("-", 2)[1].removeprefix("seed")
    return trainings[0].with_name(f"{first}_{last}-{digest([path.name for path in trainings])}")
