"""Is structure worth it? python scripts/structure.py [--seeds 0] [--steps 1500]

Hamiltonian against unstructured dynamics on the pendulum: exact observations, 5 % of noise, and few samples; rollouts
of new members over 1, 10 and 100 horizons. The same net of width 32, modulation, optimizer and outer steps, whose rate
falls to zero; how much the loss still fell over the last fifth of the steps says whether both have converged alike.
Cells that are there already are not made again. Writes records.csv and table.md into outputs/reference/structure/.
"""

from __future__ import annotations

import csv
import itertools
import json
import statistics
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from metastruct.runs.arguments import Flags, counted, placed

ROOT = Path(__file__).resolve().parents[1]


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    parser.add_argument("--seeds", nargs="+", type=counted(0), default=[0])
    parser.add_argument("--steps", type=counted(), default=1500)
    parser.add_argument("--outputs", type=placed(), default=str(ROOT / "outputs"))
    parser.add_argument("--folder", type=placed(), default=ROOT / "outputs" / "reference" / "structure")
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

import numpy as np
import torch
from cells import write

from metastruct.config.schema import composed
from metastruct.evaluation.archive import Archive
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.paper.long_horizon.orbits import exact
from metastruct.running.assembly import build_system
from metastruct.running.experiment import run
from metastruct.running.run import Run
from metastruct.running.trained import Trained
from metastruct.runs.lines import markdown

WORDS = (
    "system=pendulum",
    "modulation=svd",
    "optimizer=soap",
    "locality=none",
    "net.width=32",
    "logger=none",
    "evaluation.figures=false",
    "evaluation.metrics=[field_error]",
)
DATA = {
    "exact": (),
    "5 % noise": ("data.noise=0.05",),
    "few samples": ("data.train_tasks=10", "data.points=20", "shots=10"),
}
DYNAMICS = ("hamiltonian", "unstructured")
HORIZON, HORIZONS, STEP, TRAJECTORIES, LAST = 10.0, (1, 10, 100), 0.1, 2, 0.2
COLUMNS = ("data", "dynamics", "seed", "seconds", "fell", "field", *(f"states_{k}" for k in HORIZONS))
COLUMNS += tuple(f"energy_{k}" for k in HORIZONS)
TITLE = """# With and without structure

Pendulum, svd(5), width 32, {steps} outer steps of SOAP for both; errors x 1e-2, medians over new members
and trajectories; a horizon is 10 units of time, about four swings. States: |x - x_true| / |x_true| over the
rollout. Energy: change of the true energy from start to end in units of its spread over the starts. Fell:
the loss of the last fifth of the steps but one over that of the last.

"""
Row = dict[str, str]


def cell(data: str, dynamics: str, seed: int, steps: int, outputs: str) -> Row:
    """A training, what its loss did at the end, and the errors of its new members, of `COLUMNS`."""
    cfg = composed(
        *WORDS, *DATA[data], f"dynamics={dynamics}", f"trainer.steps={steps}", f"seed={seed}", f"outputs={outputs}"
    )
    request, folder = Run.of(cfg), run(cfg)
    trained = Trained.load(request.config, folder.model.read_bytes(), request.training.name)
    losses = np.array([loss for _, loss in trained.history])
    late = max(1, round(LAST * len(losses)))
    fell = losses[-2 * late : -late].mean() / losses[-late:].mean()
    field = json.loads((folder.path / "metrics.json").read_text())["field_error"]["mean"]
    values = [trained.seconds, fell, field, *rolled(request, Archive.load(folder.evaluation), trained)]
    return dict(zip(COLUMNS, (data, dynamics, str(seed), *(f"{value:.6g}" for value in values)), strict=True))


def rolled(request: Run, archive: Archive, trained: Trained) -> list[float]:
    """Median relative errors of states, then changes of the true energy over its spread, by horizons.

    A rollout that is not finite counts as an infinite error.
    """
    system = build_system(request.config)
    assert system is not None
    starts, mu = archive.query[:, :TRAJECTORIES, 0], archive.test_parameters
    times = np.arange(0, HORIZON * HORIZONS[-1] + STEP / 2, STEP)
    truth = exact(lambda x: system.vector_field(x, mu), starts, np.ones(starts.shape[:2]), {0: times}, 1e-8)[0]
    with torch.no_grad():
        flow = trained.model.dynamics.flow(trained.model.modulation(torch.from_numpy(archive.test_codes)))
        path = rollout(flow, torch.from_numpy(starts), torch.from_numpy(times), RK4(STEP)).numpy()
    energies = system.energy(path.reshape(len(mu), -1, starts.shape[-1]), mu).reshape(path.shape[:-1])
    states, energy = list[float](), list[float]()
    for horizons in HORIZONS:
        until = round(horizons * HORIZON / STEP) + 1
        with np.errstate(all="ignore"):
            off, size = (np.sqrt((part[..., :until, :] ** 2).sum((-2, -1))) for part in (path - truth, truth))
            drift = np.abs(energies[..., until - 1] - energies[..., 0]) / energies[..., 0].std()
        for errors, values in ((states, off / size), (energy, drift)):
            errors.append(float(np.median(np.where(np.isfinite(values), values, np.inf))))
    return states + energy


def table(rows: Sequence[Row], steps: int) -> str:
    """In Markdown; the least and the most over seeds where there are several."""
    heads = ["data", "dynamics", "seeds", "seconds", "fell", "field"]
    heads += [f"{name} over {k}" for name in ("states", "energy") for k in HORIZONS]
    body = []
    for data, dynamics in itertools.product(DATA, DYNAMICS):
        if cells := [row for row in rows if (row["data"], row["dynamics"]) == (data, dynamics)]:
            seconds, fell = (statistics.mean(float(row[name]) for row in cells) for name in ("seconds", "fell"))
            shown = [summary([float(row[name]) for row in cells]) for name in COLUMNS[5:]]
            body.append([data, dynamics, f"{len(cells)}", f"{seconds:.0f}", f"{fell:.2f}", *shown])
    return TITLE.format(steps=steps) + markdown(heads, body, [])


def summary(values: Sequence[float]) -> str:
    """Mean (least, most) x 1e-2."""
    spread = f" ({100 * min(values):.2g}, {100 * max(values):.2g})" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2g}{spread}"


def main() -> None:
    """Train and roll out what is missing; then write the table."""
    options = command_line()
    place = options.folder / "records.csv"
    rows: list[Row] = list(csv.DictReader(place.open())) if place.exists() else []
    for seed, data, dynamics in itertools.product(options.seeds, DATA, DYNAMICS):
        if all((row["data"], row["dynamics"], row["seed"]) != (data, dynamics, str(seed)) for row in rows):
            rows.append(cell(data, dynamics, seed, options.steps, options.outputs))
            write(options.folder, rows, table(rows, options.steps))
    print((options.folder / "table.md").read_text())


if __name__ == "__main__":
    main()
