"""Many bodies: errors of graph nets beside dense ones and unstructured ones, transfer in size, cost against size.

    python scripts/many_bodies.py --list                     the cells, one command a line
    python scripts/many_bodies.py --only errors-fput-8-graph-svd-0   some of them, by how they begin
    python scripts/many_bodies.py                            everything that is missing, then records.csv and table.md

A cell that is finished is kept at once, as a file of outputs/reference/many_bodies/cells/, and is not made anew; cells
may be made beside each other. Trainings have the steps that ten minutes of two cores allow.
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
FOLDER = ROOT / "outputs" / "reference" / "many_bodies"
QUIET = ("logger=none", "evaluation.figures=false", "trainer.accelerator=auto", "trainer.compile=never")
ERRORS = ("field_error", "trajectory_error")
MORE = (*ERRORS, "energy_drift", "momentum_drift", "angular_momentum_drift")
GRAPH, DENSE, FREE = "graph", "dense", "unstructured"
SYSTEMS = {
    "fput": ("system=fput",),
    "damped_chain": (
        "system=damped_chain",
        "evaluation.states=visited",
        "optimizer.warm_start=0.8",
        "trainer.steps=840",
    ),
    "bodies": ("system=bodies", "optimizer.warm_start=0.8", "trainer.steps=1120"),
}
SOAP = ("optimizer=soap", "locality=none")  # where an iteration of Gauss-Newton has more residuals than weights
BARS = {  # field and trajectory error x 1e-2
    ("fput", 8, GRAPH): (1, 1),
    ("fput", 32, GRAPH): (1, 2),
    ("fput", 64, GRAPH): (1, 3),
    ("damped_chain", 8, GRAPH): (2, 3),
    ("bodies", 5, GRAPH): (2, 3),
}
SIZES = (8, 16, 32, 64, 128, 256, 512)  # of the cost of a step
SCALED = (2, 8, 32, 128)  # of the error
Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One training, or one measurement."""

    part: str  # errors, transfer, scaling, step
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
        rank = ("rank=5",) if self.modulation == "svd" else ()
        number = "bodies" if self.system == "bodies" else "oscillators"
        base = (*SYSTEMS[self.system], f"system.{number}={self.size}", f"modulation={self.modulation}", *rank)
        if self.system == "damped_chain":
            base += (f"modulation.code_dim={self.size + 1}",)
        if self.part == "scaling" or self.size > 16:
            points = max(1, min(16, 256 // self.size)) if self.net == GRAPH else 16
            steps = 2000 if self.part == "scaling" else 4000
            base += (*SOAP, f"trainer.steps={steps}", f"learner.point_batch={points}")
        dynamics: tuple[str, ...] = ()
        if self.net == FREE:
            dynamics = ("dynamics=unstructured",)
        elif self.system == "damped_chain":
            dynamics = ("dynamics=local_generic",)
        net = ("net=graph",) if self.net == GRAPH else ("net=mlp",)
        return (*base, *dynamics, *net, f"seed={self.seed}", "tag=many_bodies", *QUIET)


def errors(cell: Cell, outputs: str) -> Iterator[tuple[str, float]]:
    """Of new members, seconds of the training and of the adaptation, and parameters."""
    metrics = json.loads(run(composed(*cell.words, f"outputs={outputs}")).metrics.read_text())
    for name in MORE:
        if metrics.get(name, {}).get("mean") is not None:
            yield f"{name} mean", metrics[name]["mean"]
            yield f"{name} median", metrics[name]["median"]
    yield "training seconds", metrics["seconds"]["training"]
    yield "adaptation seconds", metrics["seconds"]["adaptation"]
    yield "parameters", metrics["parameters"]["base"] + metrics["parameters"]["hypernetwork"]


def transfer(cell: Cell, outputs: str) -> Iterator[tuple[str, float]]:
    """Of members of this size, of a model that was trained at size 8."""
    small = Cell("errors", cell.system, 8, cell.net, cell.modulation, cell.seed)
    run(composed(*small.words, f"outputs={outputs}"))
    trained = Run.of(composed(*small.words, f"outputs={outputs}"))
    content = kept(trained.training)
    assert content is not None
    few = Trained.load(trained.config, content, trained.training.name)
    metrics = f"evaluation.metrics=[{','.join(ERRORS)}]"
    large = Run.of(composed(*cell.words, f"outputs={outputs}", metrics, "data.train_tasks=1"))
    source = build_source(large.config, print)
    measured = evaluated(large, source, resized(few, large.config, len(source.state_names)))
    for name in ERRORS:
        values = measured.values[name, ""]
        yield f"{name} mean", float(np.mean(values))
        yield f"{name} median", float(np.median(values))


def step(cell: Cell, outputs: str) -> Iterator[tuple[str, float]]:
    """Processor seconds of an outer step of Adam at 70 tasks of 16 points, and memory that it adds, in MiB."""
    generator = np.random.default_rng(0)
    odd = cell.system == "damped_chain"
    states, slopes = generator.normal(size=(2, 70, 20, 2 * cell.size + odd))
    members = [Member((Trajectory(np.arange(20.0), *each),)) for each in zip(states, slopes, strict=True)]
    chosen = ("trainer.steps", "optimizer", "locality", "learner", "modulation.code_dim")
    words = [word for word in cell.words if not word.startswith(chosen)]
    config = Run.of(composed(*words, "optimizer=adam", "locality=none", "modulation.code_dim=3")).config
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


PARTS = {"errors": errors, "transfer": transfer, "scaling": errors, "step": step}


def cells() -> list[Cell]:
    """All of them, the figures of the issue first."""
    seeds = (0, 1, 2)
    every = [Cell("errors", s, n, GRAPH, "svd", seed) for (s, n, _) in BARS for seed in seeds]
    every += [Cell("errors", s, n, DENSE, "svd", seed) for (s, n, _) in BARS for seed in seeds]
    every += [Cell("transfer", "fput", n, GRAPH, "svd", seed) for seed in seeds for n in (16, 32, 64, 128)]
    every += [Cell("step", system, n, GRAPH, "svd", 0) for system in ("fput", "damped_chain") for n in SIZES]
    every += [
        Cell("scaling", "fput", n, net, modulation, seed)
        for n in SCALED
        for net in (GRAPH, DENSE, FREE)
        for modulation in ("svd", "shift")
        for seed in seeds
    ]
    return list(dict.fromkeys(every))


def made(cell: Cell, outputs: str) -> None:
    """Make a cell and keep it."""
    began = time.perf_counter()
    figures = dict(PARTS[cell.part](cell, outputs))
    content = {"cell": vars(cell), "figures": figures, "seconds": time.perf_counter() - began}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    content |= {"commit": git_commit(), "device": device}
    (FOLDER / "cells").mkdir(parents=True, exist_ok=True)
    write_atomically(path_of(cell), json.dumps(content, indent=2) + "\n")


def path_of(cell: Cell) -> Path:
    """Its file."""
    return FOLDER / "cells" / f"{cell.name}.json"


def table(rows: list[Row]) -> str:
    """What is measured, beside its bars."""
    lines: list[list[str]] = []
    groups: dict[tuple[str, str, int, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["part"], row["system"], row["size"], row["net"], row["modulation"]), []).append(row)
    for (part, system, size, net, modulation), group in groups.items():
        if part == "step":
            continue
        texts = []
        for name in ERRORS:
            values = [100 * row["value"] for row in group if row["figure"] == f"{name} mean"]
            texts.append(" ".join(f"{value:.3g}" for value in values))
        seconds = [row["value"] for row in group if row["figure"] == "training seconds"]
        bar = BARS.get((system, size, net)) if part == "errors" and modulation == "svd" else None
        taken = f"{statistics.median(seconds):.0f}" if seconds else ""
        bars = " / ".join(map(str, bar)) if bar else ""
        lines.append([part, system, str(size), net, modulation, *texts, taken, bars])
    head = ["part", "system", "n", "net", "modulation", "field x 1e-2", "trajectory x 1e-2", "training s", "bars"]
    stepped = dict.fromkeys(row["system"] for row in rows if row["part"] == "step")
    text = "# Many bodies\n\nMean errors of ten new members, one number a seed.\n\n" + markdown(head, lines, [])
    return text + "\n## A step against the number of bodies\n\n" + markdown(*slopes(rows, stepped, "n"), [])


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
