"""From a family that somebody measured to a meta-trained model, without a command line."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from metastruct.api.loading import load
from metastruct.api.model import Model
from metastruct.config.facts import options, providing
from metastruct.config.mistakes import closest
from metastruct.config.schema import ConfigError, composed
from metastruct.config.words import worded
from metastruct.data.family import Family
from metastruct.data.outside import place_of, shortly
from metastruct.data.tables.reading import digest_of
from metastruct.running.assembly import build_source, reader
from metastruct.running.experiment import doubts, run
from metastruct.running.run import Run
from metastruct.running.validation import validate
from metastruct.runs.files import read_checked, write_checked
from metastruct.runs.folder import RunFolder


def fit(
    family: Family,
    dynamics: str | None = None,
    modulation: str | None = None,
    rank: int | None = None,
    steps: int | None = None,
    *,
    seed: int = 0,
    test: float | Sequence[str] | None = None,
    progress: bool = True,
    outputs: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Model:
    """Meta-train on a family; what `metastruct.load` returns, with the loss curve in `history`.

    A training that does not explain its own members ends with a warning. Killed at any moment, the same call goes on
    from the last checkpoint; a training that has ended is not repeated. The family is written into the run folder
    `model.folder`, so that the run is one like any other.

    Args:
        family: as `Family.from_frame`, `from_arrays` or `from_files` make it.
        dynamics, modulation: the structure that its members have, and how they differ, as in conf/; None, those that
            train.py takes.
        rank: of the modulation, where it has one.
        steps: outer steps; None, as many as train.py takes.
        test: members that are held out to measure on, a fraction or their names; None holds out none.
        progress: show it?
        outputs: where run folders go; None, `outputs`.
        settings: any other of train.py, such as `{"net.width": 32, "optimizer": "adam"}`.

    Raises:
        ValueError: in one line, what does not go together; nothing was written.
    """
    if not isinstance(family, Family):
        raise ValueError(
            f"fit needs a Family, got a {type(family).__name__}; make one by Family.from_frame or from_arrays"
        )
    if not isinstance(settings or {}, Mapping) or not all(isinstance(key, str) for key in settings or {}):
        raise ValueError(f"settings must be a mapping such as {{'net.width': 32}}, got {shortly(settings)}")
    outputs = None if outputs is None else place_of(outputs, "outputs")
    choices = {"dynamics": dynamics, "modulation": modulation, "rank": rank, "trainer.steps": steps, "seed": seed}
    if family.members[0].trajectories[0].derivatives is not None:
        choices["objective"] = providing("objective", "matches_derivatives").partition("=")[2]
    choices |= {"logger": "none", "outputs": outputs} | dict(settings or {})
    cfg = _configured({name: value for name, value in choices.items() if value is not None})
    content, layout = family.as_npz(), family.layout
    cfg.data.path, cfg.data.content = RunFolder(Path()).family.name, digest_of(content)
    cfg.data.states, cfg.data.inputs, cfg.data.labels = map(list, (layout.states, layout.inputs, layout.labels))
    cfg.data.units = dict(layout.units) or None
    cfg.data.member, cfg.data.trajectory, cfg.data.time = layout.member, layout.trajectory, layout.time
    if "data.hold_out" not in choices:
        cfg.data.hold_out = "none" if test is None else "members"
    if isinstance(test, float):
        cfg.data.test_fraction = test
    elif isinstance(test, list | tuple):
        cfg.data.test_names = [*map(str, test)]
    elif test is not None:
        raise ValueError(f"test must be a fraction, or a list of names of members, got {shortly(test)}")
    validate(cfg)
    try:
        _, lines = reader(cfg, layout.states, strict=True)(family.members)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    for line in lines:
        warnings.warn(line, stacklevel=2)
    with open(os.devnull, "w") as silence, nullcontext() if progress else redirect_stdout(silence):
        model = load(_ran(cfg, content).path)
    source = build_source(model.run.config, lambda _: None)
    for doubt in doubts(model.trained, source):
        warnings.warn(doubt, stacklevel=2)
    return model


def _configured(choices: Mapping[str, Any]) -> DictConfig:
    for group in {"dynamics", "modulation"} & {*choices}:
        if choices[group] not in options(group):
            raise ValueError(f"{group}={choices[group]} is not known; {closest(str(choices[group]), options(group))}")
    try:
        return composed(
            providing("data", "read_files"), *(f"{name}={worded(value)}" for name, value in choices.items())
        )
    except (HydraException, OmegaConfBaseException) as error:
        stranger = re.search(r"override '([^']+)'", str(error))
        problem = f"{stranger[1]} is not a setting; train.py --help lists them" if stranger else str(error)
        raise ValueError(" ".join(problem.split())) from None


def _ran(cfg: DictConfig, content: bytes) -> RunFolder:
    """The run, with the family in its folder."""
    folder = Run.of(cfg).folder
    there = folder.path.exists()
    if read_checked(folder.family) != content:
        write_checked(folder.family, content)
    cfg.data.path = str(folder.family)
    try:
        return run(cfg)
    except ConfigError:
        if not there:
            for path in [*folder.path.iterdir()]:
                path.unlink()
            folder.path.rmdir()
        raise
