"""Energy and trajectories of the adapted members of a run over many periods, per integrator and cost.

What is measured of a cell (run, integrator, steps a period) is kept, and not measured again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from rich.progress import track

from metastruct.config.facts import settings_of
from metastruct.config.mistakes import closest
from metastruct.config.schema import ConfigError, groups
from metastruct.evaluation.archive import Archive
from metastruct.integrators.flow import Flow
from metastruct.paper.long_horizon.orbits import Orbits, measure, orbits_from, roll
from metastruct.paper.long_horizon.table import ORBITS, write_study
from metastruct.running.assembly import component
from metastruct.running.places import family_name
from metastruct.running.run import Run, configuration_of
from metastruct.running.tracking.console import console, note
from metastruct.running.trained import Trained
from metastruct.running.validation import check_read
from metastruct.runs.digest import digest
from metastruct.runs.files import check_contained, locked, read_checked, write_atomically, write_checked
from metastruct.runs.folder import RunFolder
from metastruct.runs.tables import as_csv, read_records


@dataclass(frozen=True)
class LongHorizon:
    """The study of some runs.

    Args:
        integrators: names of the group `integrator`.
        steps: whole numbers of steps a period, to which 0.618 is added.
        periods: how many.
        trajectories: of each test task, from its query starts.
    """

    integrators: Sequence[str]
    steps: Sequence[int]
    periods: int = 100
    trajectories: int = 2

    def __post_init__(self) -> None:
        integrators = groups()["integrator"]
        for name in self.integrators:
            if name not in integrators:
                raise ValueError(f"integrator {name} is not known; {closest(name, integrators)}")

    def study(self, runs: Sequence[RunFolder], store: Path, folder: Path) -> bool:
        """Measure what is missing of those runs that are finished, then write orbits.csv, the table and the figure.

        Args:
            runs: run folders; one that is gone keeps the rows that orbits.csv has of it.
            store: where measured cells are kept.
            folder: where results go.

        Returns:
            whether there is anything to show.
        """
        earlier = read_records([folder / ORBITS]) if (folder / ORBITS).exists() else []
        rows = []
        with locked(store, lambda: note("waiting for another process that measures the same")):
            for run in runs:
                parts = self._parts(run, store) if run.finished() is not None else ()
                rows += read_records(parts) or [row for row in earlier if row["run"] == run.path.name]
        if rows:
            write_atomically(folder / ORBITS, as_csv(rows))
            write_study(folder)
        return bool(rows)

    def _cells(self, run: RunFolder, store: Path) -> Iterator[tuple[str, int, Path]]:
        for steps in self.steps:
            for name in self.integrators:
                key = digest([run.path.name, name, steps, self.periods, self.trajectories])
                yield name, steps, store / f"{run.path.name}-{name}-{steps}-{key}.csv"

    def _parts(self, run: RunFolder, store: Path) -> Iterator[Path]:
        """The files of a run's cells, measured where they are missing; a run that cannot be read is left out."""
        try:
            check_contained(run.path)
            cfg, adapted = configuration_of(run), None
            Run.of(cfg)
        except (ValueError, OSError) as error:
            note(f"{run.path.name} is left out: {error}")
            return
        for name, steps, part in self._cells(run, store):
            if read_checked(part) is None:
                integrator = integrator_for(cfg, name)
                if integrator is None:
                    continue
                try:
                    adapted = adapted or self._adapted(run, cfg)
                except (ValueError, RuntimeError) as error:
                    note(f"{run.path.name} is left out: {error}")
                    return
                shared = {
                    "run": run.path.name,
                    "system": family_name(cfg),
                    "integrator": name,
                    "steps_per_period": steps,
                    "seed": cfg.seed,
                }
                write_checked(part, as_csv(rows_of(cell(*adapted, integrator, steps), shared)).encode())
            yield part

    def _adapted(self, run: RunFolder, cfg: DictConfig) -> tuple[Flow, Orbits]:
        """The flow of the adapted members of a run, and their orbits from the first query starts."""
        if cfg.system is None or cfg.data.get("horizon") is None:
            raise ValueError(f"a study of energies needs a law and a horizon, got data={cfg.data.name}")
        content = read_checked(run.model)
        if content is None:
            raise ValueError(f"{run.model} is missing or damaged; train.py with force=true makes it again")
        source_run = Run.of(cfg)
        trained, system = Trained.load(source_run.config, content, source_run.training.name), component(cfg.system)
        archive = Archive.load(run.evaluation)
        if archive.learned_energy_range is None:
            raise ValueError(f"a study of energies needs dynamics that have one, got dynamics={cfg.dynamics.name}")
        with torch.no_grad():
            flow = trained.model.dynamics.flow(trained.model.modulation(torch.from_numpy(archive.test_codes)))
        note(f"integrating {self.periods} periods of the learned and of the true flow of {run.path.name}")
        starts, scale, mu = (
            archive.query[:, : self.trajectories, 0],
            archive.learned_energy_range,
            archive.test_parameters,
        )
        span = (cfg.data.horizon, self.periods, self.steps)
        return flow, orbits_from(flow, lambda x: system.vector_field(x, mu), starts, scale, *span)


def integrator_for(cfg: DictConfig, name: str) -> Any:
    """The integrator, or None with a note where the model does not have what it needs."""
    cfg = cfg.copy()
    cfg.integrator = settings_of("integrator", name)
    try:
        check_read(cfg)
    except ConfigError as refusal:
        note(f"left out: {refusal}")
        return None
    return component(cfg.integrator)


def cell(flow: Flow, orbits: Orbits, integrator: Any, steps: int) -> dict[str, np.ndarray]:
    """Every metric, `[tasks, trajectories]`, of one integrator at one step."""
    name, before, clock = type(integrator).__name__, flow.evaluations, time.perf_counter()
    bar = iter(track(range(orbits.count), f"{name}, {steps} steps a period", console=console))
    states = roll(flow, orbits, integrator, steps, lambda: next(bar, None))
    next(bar, None)
    seconds, cost = time.perf_counter() - clock, (flow.evaluations - before) / orbits.count
    values = measure(flow, orbits, states, steps)
    return values | {
        "evaluations_per_period": np.full(orbits.periods.shape, cost),
        "seconds": 0 * orbits.periods + seconds,
    }


def rows_of(values: dict[str, np.ndarray], shared: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a value."""
    return [
        shared | {"task": task, "trajectory": trajectory, "metric": metric, "value": repr(float(value))}
        for metric, array in values.items()
        for (task, trajectory), value in np.ndenumerate(array)
    ]
