"""Fields on grids: errors over the horizon and ten of them, transfer in size, cost of a step against size.

    python scripts/fields.py --list                      the cells, one command a line
    python scripts/fields.py --only errors-kdv-128-lattice-svd-0   some of them, by how they begin
    python scripts/fields.py                             everything that is missing, then records.csv and table.md

A cell that is finished is kept at once, as a file of outputs/reference/fields/cells/, and is not made anew; cells may
be made beside each other. Trainings have half the steps that the bars allow, of one point of each task.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from slopes import slopes

from metastruct.config.schema import composed
from metastruct.data.recordings import Recordings
from metastruct.data.trajectory import Member, Trajectory
from metastruct.running.assembly import build_learner, build_source
from metastruct.running.experiment import run
from metastruct.running.measurement import evaluated
from metastruct.running.resized import resized
from metastruct.running.run import Run
from metastruct.running.trained import Trained
from metastruct.running.training import trained as kept
from metastruct.runs.files import write_atomically
from metastruct.runs.flags import Flags, placed
from metastruct.runs.lines import markdown
from metastruct.runs.provenance import git_commit
from metastruct.runs.tables import as_csv

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "fields"
ERRORS = ("field_error", "trajectory_error", "tenfold_error")
NETS = {
    "lattice": (),
    "together": ("net.terms=together",),
    "dense": ("net=mlp",),
    "unstructured": ("net=mlp", "dynamics=unstructured"),
}
SHARED = (
    "trainer.steps=2000",
    "learner.point_batch=1",
    "shots=50",
    "tag=fields",
    "logger=none",
    "trainer.accelerator=auto",
)
SEEDS = (0, 1, 2)
BARS = {"sine_gordon": "1 / 5", "kdv": "1 / 5"}  # of trajectories over one and ten horizons, x 1e-2
SIZES = (8, 16, 32, 64, 128, 256, 512)  # of the cost of a step
Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One training, or one measurement."""

    part: str  # errors, transfer, step
    system: str
    size: int
    net: str
    modulation: str
    seed: int

    @property
    def name(self) -> str:
        """Of its file and on a command line."""
        return f"{self.part}-{self.system}-{self.size}-{self.net}-{self.modulation}-{self.seed}"

    @property
    def words(self) -> tuple[str, ...]:
        """Of its run."""
        family = f"system={self.system}", f"system.sites={self.size}", f"modulation={self.modulation}"
        metrics = f"evaluation.metrics=[{','.join(ERRORS)},energy_drift]"
        if "dynamics=unstructured" in NETS[self.net] or self.system in ("allen_cahn", "cahn_hilliard"):
            metrics = f"evaluation.metrics=[{','.join(ERRORS)}]"
        compiled = "trainer.compile=never"
        return (*family, *NETS[self.net], f"seed={self.seed}", *SHARED, metrics, compiled)


def errors(cell: Cell, outputs: str) -> Iterator[tuple[str, float]]:
    """Of new members, seconds of the training and of the adaptation, and parameters."""
    metrics = json.loads(run(composed(*cell.words, f"outputs={outputs}")).metrics.read_text())
    for name in (*ERRORS, "energy_drift"):
        if name in metrics:
            yield f"{name} mean", metrics[name]["mean"]
            yield f"{name} median", metrics[name]["median"]
    yield "training seconds", metrics["seconds"]["training"]
    yield "adaptation seconds", metrics["seconds"]["adaptation"]
    yield "parameters", metrics["parameters"]["base"] + metrics["parameters"]["hypernetwork"]


def transfer(cell: Cell, outputs: str) -> Iterator[tuple[str, float]]:
    """Of members of this size, of a model that was trained on half as many sites of the same spacing."""
    half = Cell("errors", cell.system, cell.size // 2, cell.net, cell.modulation, cell.seed)
    run(composed(*half.words, f"outputs={outputs}"))
    trained = Run.of(composed(*half.words, f"outputs={outputs}"))
    content = kept(trained.training)
    assert content is not None
    few = Trained.load(trained.config, content, trained.training.name)
    large = Run.of(composed(*cell.words, f"outputs={outputs}", "data.train_tasks=1"))
    source = build_source(large.config, print)
    measured = evaluated(large, source, resized(few, large.config, len(source.state_names)))
    for name in ERRORS:
        yield f"{name} mean", float(np.mean(measured.values[name, ""]))
        yield f"{name} median", float(np.median(measured.values[name, ""]))


def step(cell: Cell, outputs: str) -> Iterator[tuple[str, float]]:
    """Processor seconds of an outer step at 70 tasks of 16 points, and memory that it adds, in MiB."""
    generator = np.random.default_rng(0)
    states, slopes = generator.normal(size=(2, 70, 20, (2 if cell.system == "sine_gordon" else 1) * cell.size))
    members = [Member((Trajectory(np.arange(20.0), *each),)) for each in zip(states, slopes, strict=True)]
    words = [word for word in cell.words if not word.startswith(("learner", "evaluation"))]
    config = Run.of(composed(*words, "optimizer=adam")).config
    learner: Any = build_learner(config, Recordings(members, torch.float32))
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


PARTS = {"errors": errors, "transfer": transfer, "step": step}


def cells() -> list[Cell]:
    """All of them, the figures of the issue first."""
    every = [Cell("errors", name, 128, "lattice", "svd", seed) for name in BARS for seed in SEEDS]
    every += [Cell("step", name, size, "lattice", "svd", 0) for name in BARS for size in SIZES]
    more = (("phi4", 128), ("allen_cahn", 64), ("cahn_hilliard", 64))
    every += [Cell("errors", name, size, "lattice", "svd", seed) for name, size in more for seed in SEEDS]
    every += [Cell("errors", name, 128, "lattice", "film", seed) for name in BARS for seed in SEEDS]
    every += [Cell("errors", name, 128, "together", "svd", seed) for name in BARS for seed in SEEDS]
    every += [Cell("errors", "sine_gordon", 128, "dense", "svd", seed) for seed in SEEDS]
    every += [Cell("errors", name, 128, "unstructured", "svd", seed) for name in BARS for seed in SEEDS]
    return every + [Cell("transfer", name, 128, "lattice", "svd", seed) for name in BARS for seed in SEEDS]


def path_of(cell: Cell) -> Path:
    """Its file."""
    return FOLDER / "cells" / f"{cell.name}.json"


def made(cell: Cell, outputs: str) -> None:
    """Make a cell and keep it."""
    began = time.perf_counter()
    figures = dict(PARTS[cell.part](cell, outputs))
    content = {"cell": vars(cell), "figures": figures, "seconds": time.perf_counter() - began}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    content |= {"commit": git_commit(), "device": device}
    (FOLDER / "cells").mkdir(parents=True, exist_ok=True)
    write_atomically(path_of(cell), json.dumps(content, indent=2) + "\n")


def table(rows: list[Row]) -> str:
    """What is measured, beside its bars."""
    lines: list[list[str]] = []
    groups: dict[tuple[str, str, int, str, str], list[Row]] = {}
    for row in rows:
        if row["part"] != "step":
            groups.setdefault((row["part"], row["system"], row["size"], row["net"], row["modulation"]), []).append(row)
    for (part, system, size, net, modulation), group in groups.items():
        values = [[row["value"] for row in group if row["figure"] == f"{name} mean"] for name in ERRORS]
        texts = [" ".join(f"{100 * value:.3g}" for value in each) for each in values]
        seconds = [row["value"] for row in group if row["figure"] == "training seconds"]
        taken = f"{statistics.median(seconds):.0f}" if seconds else ""
        lines.append([part, system, str(size), net, modulation, *texts, taken, BARS.get(system, "")])
    head = ["part", "system", "sites", "net", "modulation", "field", "trajectory", "ten horizons", "training s", "bars"]
    text = "# Fields on grids\n\nMean errors of ten new members x 1e-2, one number a seed; bars of trajectories.\n\n"
    text += markdown(head, lines, [])
    return text + "\n## A step against the number of sites\n\n" + markdown(*slopes(rows, BARS, "sites"), [])


def written() -> None:
    """Write records and table of the cells that are there."""
    rows: list[Row] = []
    for cell in cells():
        if path_of(cell).exists():
            content = json.loads(path_of(cell).read_text())
            shared = {**vars(cell), "commit": content["commit"]}
            rows += [{**shared, "figure": name, "value": value} for name, value in content["figures"].items()]
    if rows:
        write_atomically(FOLDER / "records.csv", as_csv(rows))
        write_atomically(FOLDER / "table.md", table(rows))


def main() -> None:
    """Make what is missing, one cell after another."""
    parser = Flags(__doc__)
    parser.add_argument("--only", nargs="*", help="names of cells, or how they begin")
    parser.add_argument("--outputs", type=placed(), default="outputs")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [c for c in cells() if not arguments.only or c.name.startswith(tuple(arguments.only))]
    if arguments.list:
        print(*(cell.name for cell in chosen), sep="\n")
        return
    for cell in chosen:
        if path_of(cell).exists():
            continue
        if cell.part == "step" and len(chosen) > 1:  # memory of a process never falls
            subprocess.run([sys.executable, __file__, "--only", cell.name], check=True)
        else:
            made(cell, arguments.outputs)
    written()


if __name__ == "__main__":
    main()
