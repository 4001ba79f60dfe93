"""Is it worth it? New members by a meta-trained model, beside what each member's own data give without the others.

Every way gets the same support trajectories, whole, and is asked for the same query trajectories from their first
observations. Errors are those of the metric forecast_error; seconds are processor time for one new member.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from metastruct.config.facts import brings, providing, settings_of
from metastruct.config.schema import ConfigError, register
from metastruct.config.stages import tell
from metastruct.data.source import Source
from metastruct.data.trajectory import Array, Queries
from metastruct.evaluation.archive import Archive
from metastruct.evaluation.rivals.rival import Rival, forecasts
from metastruct.running.assembly import build_source
from metastruct.running.experiment import run
from metastruct.running.run import Run, configuration_of, typed
from metastruct.running.tracking.console import working
from metastruct.running.validation import check_read
from metastruct.runs.files import write_atomically
from metastruct.runs.folder import RunFolder
from metastruct.runs.tables import as_csv
from metastruct.sweeps.studies.choosing import METRIC

WHOLE = 1_000_000_000  # shots: all that is seen of the support
HORIZONS = {"tenth": 0.1, "third": 1 / 3, "whole": 1.0}
COLUMNS = ("way", "first tenth", "first third", "whole", "lost", "seconds a member", "training seconds")


@dataclass(frozen=True)
class Row:
    """How one way does.

    Args:
        errors: of each member over each horizon, by its name, `[members]`; empty where there is only a note.
        seconds: for one new member.
        training: seconds that come before any of them.
        note: why there are no errors.
    """

    way: str
    errors: Mapping[str, Array]
    seconds: float = float("nan")
    training: float = 0.0
    note: str = ""

    @property
    def lost(self) -> int:
        """Members whose forecasts are not finite, or ten spreads away."""
        return int((~(np.nan_to_num(self.errors["whole"], nan=np.inf) <= 10)).sum()) if self.errors else 0

    def cells(self) -> list[str]:
        """For people, errors as medians in percent."""
        medians = [f"{100 * np.median(np.nan_to_num(v, nan=np.inf)):.3g}" for v in self.errors.values()]
        numbers = [*medians, f"{self.lost}", f"{self.seconds:.2g}", f"{self.training:.3g}"]
        return [self.way, *(numbers if self.errors else ["-"] * (len(COLUMNS) - 1))]


def with_pieces(cfg: DictConfig, **choices: str) -> DictConfig:
    """A resolved configuration with other pieces, each at the settings of its yaml and with what it brings.

    Raises:
        ConfigError: they do not go with the rest.
    """
    content: Any = OmegaConf.to_container(cfg)
    for group, name in choices.items():
        for other, option in {**brings(group, name), group: name}.items():
            content[other] = None if option is None else settings_of(other, option)
    again = typed(OmegaConf.to_container(OmegaConf.create(content), resolve=True))
    again.rank = None
    return again


def rows(
    path: Path,
    rivals: Mapping[str, Rival],
    note: Callable[[str], None],
    without: Sequence[str] = (),
) -> tuple[list[Row], list[str]]:
    """Every way on the test members of a run, and their names.

    Args:
        path: of the folder of the run, which holds its data where they came from memory.
        without: "structureless" or "alone", which are left out.

    Raises:
        ConfigError: the data are not there, or no member is held out.
        FileNotFoundError: there is no finished run.
    """
    folder = RunFolder(path)
    folder.check_trained()
    register()
    cfg = configuration_of(folder)
    if cfg.system is None and folder.family.exists():
        cfg.data.path = str(folder.family)
    cfg.rank, cfg.shots, cfg.evaluation.metrics, cfg.evaluation.figures = None, WHOLE, [METRIC], False
    config = Run.of(cfg).config
    check_read(cfg)
    source = build_source(config, lambda _: None)
    if not source.test or source.law is not None:
        raise ConfigError("worth compares on held-out members of measured data, and this run holds out none")
    dynamics = str(cfg.dynamics.name)
    kinds: dict[str, Callable[[], DictConfig]] = {f"MetaStruct, {dynamics}": lambda: cfg}
    control, alone = (providing(*pair).partition("=")[2] for pair in (("dynamics", "control"), ("learner", "alone")))
    if dynamics != control and "structureless" not in without:
        kinds[f"MetaStruct, {control}"] = lambda: with_pieces(cfg, dynamics=control)
    if "alone" not in without:
        kinds[f"a net alone, {dynamics}"] = lambda: with_pieces(cfg, learner=alone)
    every = [_by_run(way, make, source, note) for way, make in kinds.items()]
    for way, rival in rivals.items():
        with working(way):
            every.append(_by_member(way, rival, source))
    return every, [member.name for member in source.test]


def _by_run(way: str, make: Callable[[], DictConfig], source: Source, note: Callable[[str], None]) -> Row:
    note(way)
    try:
        folder: RunFolder = run(make(), shows=False)
    except ValueError as error:
        return Row(way, {}, note=str(error))
    metrics, archive = folder.finished(), Archive.load(folder.evaluation)
    assert metrics is not None
    seconds = metrics["seconds"]
    return Row(way, errors(archive.rollouts, source), seconds["adaptation"] / len(source.test), seconds["training"])


def _by_member(way: str, rival: Rival, source: Source) -> Row:
    query, paths, began = source.query(), [], time.process_time()
    spread, seconds = source.spread, 0.0
    times = np.broadcast_to(query.times, query.states.shape[:-1])
    for task, member in enumerate(source.test):
        began = time.process_time()
        try:
            field = rival.fit(member.trajectories[: source.support_trajectories], spread)
        except ValueError as error:
            return Row(way, {}, note=str(error))
        seconds += time.process_time() - began
        starts = np.where(np.isnan(query.states[task, :, 0]), query.states[task, :1, 0], query.states[task, :, 0])
        paths.append(forecasts(field, starts, times[task]))
        tell("fitting and forecasting: member", task + 1, len(source.test))
    return Row(way, errors(np.stack(paths), source), seconds / len(source.test))


def errors(paths: Array, source: Source) -> dict[str, Array]:
    """Root mean squares of (x - x_seen)/spread over each horizon, `[members]`."""
    from metastruct.evaluation.metrics.forecast_error import root_mean_square

    query: Queries = source.query()
    return {
        name: np.sqrt(np.square(root_mean_square(paths, query.states, query.times, source.spread, share)).mean(-1))
        for name, share in HORIZONS.items()
    }


def written(every: list[Row], members: list[str], path: Path) -> None:
    """Errors of every way and member, as CSV."""
    lines = []
    for row in every:
        seconds = {"seconds": f"{row.seconds:.4g}", "training_seconds": f"{row.training:.4g}"}
        for number, name in enumerate(members if row.errors else ()):
            errors = {horizon: f"{values[number]:.6g}" for horizon, values in row.errors.items()}
            lines.append({"way": row.way, "member": name, **errors, **seconds})
    write_atomically(path, as_csv(lines))
