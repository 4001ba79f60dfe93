"""Is structure worth it? python scripts/structure.py [--seeds 0 1 2] [--steps 1000]

Hamiltonian against unstructured dynamics on the pendulum: exact observations, 5 % of noise, and few samples; rollouts
of new members over 1, 10 and 100 horizons. The same net, modulation, optimizer and outer steps; the rate of each
dynamics is the better of two for each kind of data, by members of another data seed. Finished runs and cells are not
made again. Writes cells.csv and table.md into outputs/reference/structure/.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch

from metastruct.config.schema import composed
from metastruct.evaluation.archive import Archive
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.paper.long_horizon.orbits import exact
from metastruct.running.assembly import build_system
from metastruct.running.experiment import run
from metastruct.running.run import Run
from metastruct.running.trained import Trained
from metastruct.runs.files import write_atomically
from metastruct.runs.folder import RunFolder
from metastruct.runs.provenance import sign

ROOT = Path(__file__).resolve().parents[1]
WORDS = ("system=pendulum", "modulation=svd", "optimizer=soap", "locality=none", "logger=none")
QUIET = ("evaluation.figures=false", "evaluation.metrics=[field_error]")
DATA = {
    "exact": (),
    "5 % noise": ("data.noise=0.05",),
    "few samples": ("data.train_tasks=10", "data.points=20", "shots=10"),
}
DYNAMICS = ("hamiltonian", "unstructured")
RATES = (5e-3, 1e-2)
HORIZON, HORIZONS, STEP, TRAJECTORIES = 10.0, (1, 10, 100), 0.05, 2
FIELDS = ("data", "dynamics", "seed", "rate", "seconds", "field_error")


def trained(data: str, dynamics: str, rate: float, steps: int, *words: str) -> tuple[Run, RunFolder]:
    """A finished run, made where it is missing."""
    settings = (f"dynamics={dynamics}", f"optimizer.base_rate={rate}", f"trainer.steps={steps}")
    cfg = composed(*WORDS, *QUIET, *DATA[data], *settings, *words)
    return Run.of(cfg), run(cfg)


def measured(folder: RunFolder, name: str) -> float:
    """The mean of a metric over the new members."""
    return float(json.loads((folder.path / "metrics.json").read_text())[name]["mean"])


def rolled(request: Run, folder: RunFolder) -> dict[str, float]:
    """Median relative errors of states, and of the true energy in units of its spread over starts, by horizons.

    A rollout that is not finite counts as an infinite error.
    """
    archive, system = Archive.load(folder.evaluation), build_system(request.config)
    assert system is not None
    model = Trained.load(request.config, folder.model.read_bytes(), request.training.name).model
    starts, mu = archive.query[:, :TRAJECTORIES, 0], archive.test_parameters
    times = np.arange(0, HORIZON * HORIZONS[-1] + STEP / 2, STEP)
    ones = np.ones(starts.shape[:2])
    truth = exact(lambda x: system.vector_field(x, mu), starts, ones, {0: times}, 1e-8)[0]
    with torch.no_grad():
        flow = model.dynamics.flow(model.modulation(torch.from_numpy(archive.test_codes)))
        path = rollout(flow, torch.from_numpy(starts), torch.from_numpy(times), RK4(STEP)).numpy()
    energy = system.energy
    flat = (len(mu), -1, starts.shape[-1])
    energies = energy(path.reshape(flat), mu).reshape(path.shape[:-1])
    values = {}
    for horizons in HORIZONS:
        until = round(horizons * HORIZON / STEP) + 1
        with np.errstate(all="ignore"):
            off, size = (
                np.sqrt((part**2).sum((-2, -1))) for part in ((path - truth)[..., :until, :], truth[..., :until, :])
            )
            drift = np.abs(energies[..., until - 1] - energies[..., 0]) / energies[..., 0].std()
        for name, error in (("states", off / size), ("energy", drift)):
            values[f"{name}_{horizons}"] = float(np.median(np.where(np.isfinite(error), error, np.inf)))
    return values


def table(rows: Sequence[dict[str, Any]], steps: int) -> str:
    """In Markdown, mean and standard deviation over the seeds."""
    heads = [f"{name} over {k}" for name in ("states", "energy") for k in HORIZONS]
    lines = [
        "# With and without structure",
        "",
        f"Pendulum, svd(5), {steps} outer steps of SOAP for both; errors x 1e-2, mean and standard deviation over the "
        f"seeds of medians over new members and trajectories; a horizon is {HORIZON:g} units of time. States: "
        "|x - x_true| / |x_true| over the whole rollout. Energy: change of the true energy from start to end, in units "
        "of its spread over the starts.",
        "",
        "| data | dynamics | rate | seconds | field | " + " | ".join(heads) + " |",
        "|" + "---|" * (5 + len(heads)),
    ]
    for data in DATA:
        for dynamics in DYNAMICS:
            cells = [row for row in rows if (row["data"], row["dynamics"]) == (data, dynamics)]
            if not cells:
                continue
            keys = ["field_error", *(f"{name}_{k}" for name in ("states", "energy") for k in HORIZONS)]
            shown = [_shown([100 * float(cell[key]) for cell in cells]) for key in keys]
            seconds = mean(float(cell["seconds"]) for cell in cells)
            lines.append(f"| {data} | {dynamics} | {cells[0]['rate']} | {seconds:.0f} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def _shown(values: Sequence[float]) -> str:
    if not all(map(np.isfinite, values)):
        return f"diverged ({sum(not np.isfinite(value) for value in values)} of {len(values)})"
    return f"{mean(values):.2g} ± {stdev(values) if len(values) > 1 else 0:.1g}"


def main() -> None:
    """Choose rates, train, roll out; then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--tuning", type=int, default=500, help="outer steps of a trial of a rate")
    parser.add_argument("--outputs", default=str(ROOT / "outputs"))
    parser.add_argument("--folder", type=Path, default=ROOT / "outputs" / "reference" / "structure")
    options = parser.parse_args()
    place, where = options.folder / "cells.csv", f"outputs={options.outputs}"
    rows: list[dict[str, Any]] = list(csv.DictReader(place.open())) if place.exists() else []
    for seed in options.seeds:
        for data in DATA:
            for dynamics in DYNAMICS:
                if any((row["data"], row["dynamics"], int(row["seed"])) == (data, dynamics, seed) for row in rows):
                    continue
                trials = {
                    rate: measured(
                        trained(data, dynamics, rate, options.tuning, "data.seed=1", where)[1], "field_error"
                    )
                    for rate in RATES
                }
                rate = min(trials, key=trials.__getitem__)
                request, folder = trained(data, dynamics, rate, options.steps, f"seed={seed}", where)
                model = Trained.load(request.config, folder.model.read_bytes(), request.training.name)
                shared = (data, dynamics, seed, rate, model.seconds, measured(folder, "field_error"))
                rows.append(dict(zip(FIELDS, shared, strict=True)) | rolled(request, folder))
                text = io.StringIO()
                writer = csv.DictWriter(text, [*rows[-1]], lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
                write_atomically(place, text.getvalue())
    write_atomically(options.folder / "table.md", table(rows, options.steps))
    sign(options.folder, ["scripts/structure.py", *sys.argv[1:]])
    print((options.folder / "table.md").read_text())


if __name__ == "__main__":
    main()
