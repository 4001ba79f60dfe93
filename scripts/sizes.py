"""Studies of systems of many sizes: cells that may be made beside each other, each kept at once as a file, and a table.

A cell that is finished is not made anew; when all that were asked for are there, records.csv and table.md are written.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import Row, write
from matplotlib.figure import Figure

from metastruct.config.schema import composed
from metastruct.data.recordings import Recordings
from metastruct.data.trajectory import Member, Trajectory
from metastruct.evaluation.figures.members import save, styled
from metastruct.running.assembly import build_learner, build_source
from metastruct.running.experiment import run
from metastruct.running.measurement import evaluated
from metastruct.running.resized import resized
from metastruct.running.run import Run
from metastruct.running.trained import Trained
from metastruct.running.training import trained as kept
from metastruct.runs.files import write_atomically
from metastruct.runs.provenance import git_commit

Figures = Iterator[tuple[str, float]]
COSTS = ("seconds of a step", "MiB of a step")
STEEPEST = "1.1"  # the bar of their slopes


@dataclass(frozen=True)
class Cell:
    """One training, or one measurement."""

    part: str
    system: str
    size: int
    net: str
    modulation: str
    seed: int

    @property
    def name(self) -> str:
        """Of its file and on a command line."""
        return f"{self.part}-{self.system}-{self.size}-{self.net}-{self.modulation}-{self.seed}"


@dataclass(frozen=True)
class Study:
    """Cells and what is made of them.

    Args:
        folder: of the records.
        cells: all of them, the most important first.
        parts: what each part measures of a cell, with the folder of runs.
        table: of the rows, one a figure of a cell.
        figure: of them too, where there is something to draw.
    """

    folder: Path
    cells: Sequence[Cell]
    parts: Mapping[str, Callable[[Cell, str], Figures]]
    table: Callable[[list[Row]], str]
    figure: Callable[[list[Row]], Figure | None] = lambda _: None

    def make(self, options: Namespace) -> None:
        """Make what is missing, one cell after another.

        Args:
            options: `only`, how names of cells begin; `outputs`, the folder of runs; `list` names alone.
        """
        torch.set_num_threads(1)
        chosen = [c for c in self.cells if not options.only or c.name.startswith(tuple(options.only))]
        if not chosen:
            print(f"error: --only must be how names of cells begin, got {' '.join(options.only)}", file=sys.stderr)
            raise SystemExit(2)
        if options.list:
            print(*(cell.name for cell in chosen), sep="\n")
            return
        for cell in chosen:
            if self._path(cell).exists():
                continue
            if cell.part == "step" and len(chosen) > 1:  # memory of a process never falls
                subprocess.run([sys.executable, sys.argv[0], "--only", cell.name], check=True)
            else:
                self._make(cell, options.outputs)
        self._write()

    def _path(self, cell: Cell) -> Path:
        return self.folder / "cells" / f"{cell.name}.json"

    def _make(self, cell: Cell, outputs: str) -> None:
        began = time.perf_counter()
        figures = dict(self.parts[cell.part](cell, outputs))
        content = {"cell": vars(cell), "figures": figures, "seconds": time.perf_counter() - began}
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
        content |= {"commit": git_commit(), "device": device}
        write_atomically(self._path(cell), json.dumps(content, indent=2) + "\n")

    def _write(self) -> None:
        """Records and table of the cells that are there."""
        rows: list[Row] = []
        for cell in self.cells:
            if self._path(cell).exists():
                content = json.loads(self._path(cell).read_text())
                shared = {**vars(cell), "commit": content["commit"]}
                rows += [{**shared, "figure": name, "value": value} for name, value in content["figures"].items()]
        if rows:
            write(self.folder, rows, self.table(rows))
            with styled():
                if drawn := self.figure(rows):
                    save(drawn, self.folder / "scaling.png")


def errors(words: Sequence[str], names: Iterable[str], outputs: str) -> Figures:
    """Of new members, seconds of the training and of the adaptation, and parameters, of the run of these words."""
    metrics = json.loads(run(composed(*words, f"outputs={outputs}")).metrics.read_text())
    for name in names:
        if metrics.get(name, {}).get("mean") is not None:
            yield f"{name} mean", metrics[name]["mean"]
            yield f"{name} median", metrics[name]["median"]
    yield "training seconds", metrics["seconds"]["training"]
    yield "adaptation seconds", metrics["seconds"]["adaptation"]
    yield "parameters", metrics["parameters"]["base"] + metrics["parameters"]["hypernetwork"]


def transfer(trained_by: Sequence[str], words: Sequence[str], names: Iterable[str], outputs: str) -> Figures:
    """Of members of the run of these words, of a model that was trained at another size."""
    run(composed(*trained_by, f"outputs={outputs}"))
    trained = Run.of(composed(*trained_by, f"outputs={outputs}"))
    content = kept(trained.training)
    assert content is not None
    model = Trained.load(trained.config, content, trained.training.name)
    other = Run.of(composed(*words, f"outputs={outputs}", "data.train_tasks=1"))
    source = build_source(other.config, print)
    measured = evaluated(other, source, resized(model, other.config, len(source.state_names)))
    for name in names:
        values = measured.values[name, ""]
        yield f"{name} mean", float(np.mean(values))
        yield f"{name} median", float(np.median(values))


def step(words: Sequence[str], components: int) -> Figures:
    """Processor seconds of an outer step at 70 tasks of 16 points, and memory that it adds, in MiB."""
    states, slopes = np.random.default_rng(0).normal(size=(2, 70, 20, components))
    members = [Member((Trajectory(np.arange(20.0), *each),)) for each in zip(states, slopes, strict=True)]
    learner: Any = build_learner(Run.of(composed(*words)).config, Recordings(members, torch.float32))
    learner.configure_optimizers()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    learner.outer_update(0)
    yield "MiB of a step", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    seconds = []
    for number in range(1, 6):
        began = time.process_time()
        learner.outer_update(number)
        seconds.append(time.process_time() - began)
    yield "seconds of a step", statistics.median(seconds)


def by_cell(rows: Sequence[Row], names: Sequence[str]) -> Iterator[tuple[Cell, list[str]]]:
    """Cells that differ by their seed as the one of seed 0, and a line of all: what it is, errors x 1e-2, seconds."""
    groups: dict[Cell, list[Row]] = {}
    for row in rows:
        if row["part"] != "step":
            cell = Cell(**{name: row[name] for name in Cell.__dataclass_fields__})
            groups.setdefault(replace(cell, seed=0), []).append(row)
    for cell, group in groups.items():
        values = [[row["value"] for row in group if row["figure"] == f"{name} mean"] for name in names]
        texts = [" ".join(f"{100 * value:.3g}" for value in each) for each in values]
        seconds = [row["value"] for row in group if row["figure"] == "training seconds"]
        taken = f"{statistics.median(seconds):.0f}" if seconds else ""
        yield cell, [cell.part, cell.system, str(cell.size), cell.net, cell.modulation, *texts, taken]


def slopes(rows: Sequence[Row], systems: Iterable[str], size: str) -> tuple[list[str], list[list[str]]]:
    """Heads and lines of a table: costs by size, and the slope of their logarithms by least squares.

    Args:
        size: what is counted, for people.
    """
    lines = []
    for system in systems:
        for figure in COSTS:
            values = {row["size"]: row["value"] for row in rows if (row["system"], row["figure"]) == (system, figure)}
            logs = np.log(np.array([pair for pair in sorted(values.items()) if pair[1] > 0], dtype=float))
            slope = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0]) if len(logs) > 1 else float("nan")
            numbers = ", ".join(f"{n}: {value:.3g}" for n, value in sorted(values.items()))
            lines.append([system, figure, numbers, f"{slope:.2f}", STEEPEST])
    return ["system", "figure", f"by {size}", "slope", "bar"], lines
