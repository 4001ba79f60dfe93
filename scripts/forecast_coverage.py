"""Do bands of forecasts hold, by horizon? python scripts/forecast_coverage.py [--system pendulum] [--trained 0 0.05]

The trainings, members and supports of `scripts/coverage.py`; each member is forecast from the exact start of one query
trajectory, and bands of 50, 80 and 95 % (Gaussian, by the forecast's standard deviation) are counted at instants early
and late in it, both components together. A cell is tested by its members, with Holm's correction over all of a table.
Writes records, a file for each training and number of shots, and table.md into
outputs/reference/forecast_coverage/SYSTEM.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from metastruct.config.facts import options
from metastruct.runs.arguments import Flags, counted, numbered, placed

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "forecast_coverage"
TRAININGS, NOISES, SHOTS = (0.0, 0.05), (0.0, 0.05), (10, 200)


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    parser.add_argument("--members", type=counted(), default=400)
    parser.add_argument("--system", choices=options("system"), default="pendulum")
    parser.add_argument("--trained", nargs="+", type=numbered(), default=TRAININGS, help="noise of the training")
    parser.add_argument("--shots", nargs="+", type=counted(), default=SHOTS)
    parser.add_argument("--outputs", type=placed(), default=str(ROOT / "outputs"))
    parser.add_argument("--folder", type=placed(), help="for the records; in outputs/reference by default")
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

import numpy as np
import torch
from coverage import LEVELS, SPLIT, SUPPORT, family, fitted, observed, records, system_of, trained
from scipy import stats

from metastruct.api.model import Model
from metastruct.data.noise import spread
from metastruct.data.simulate import Simulation
from metastruct.evaluation.effects import holm
from metastruct.evaluation.forecast import state_std
from metastruct.integrators.rollout import rollout
from metastruct.runs.files import write_atomically
from metastruct.runs.lines import markdown
from metastruct.runs.provenance import sign
from metastruct.runs.tables import as_csv
from metastruct.systems.system import Array

HORIZONS = (0.1, 0.3, 1.0)  # of a trajectory
NAMES = ["trained", "noise", "shots", "horizon"]
NAMES += [*(f"{word}_{level}" for level in LEVELS for word in ("coverage", "p")), "error", "members"]
HEADS = ("trained", "observed", "shots", "horizon", "50 %", "80 %", "95 %", "rms error / spread")


def cell(
    model: Model, simulation: Simulation, std: tuple[Array, Array], noise: float, shots: int
) -> Iterator[list[float]]:
    """Horizon, coverage and p-value of each level, error over the spread of the states, members; a row a horizon."""
    fit, learned = fitted(model, observed(model, simulation, std, noise, shots)), model.trained.model
    times = np.linspace(0.0, 10.0, simulation.states.shape[2])
    rows = [round(share * (len(times) - 1)) for share in HORIZONS]
    truth = simulation.states[:, SUPPORT, rows]
    starts, instants = torch.from_numpy(simulation.states[:, SUPPORT : SUPPORT + 1, 0]), torch.from_numpy(times)
    flow = learned.dynamics.flow(learned.modulation(fit.codes))
    paths = rollout(flow, starts, instants, model._integrator)[:, 0, rows].numpy()
    step = model._integrator.step_size
    bands = state_std(learned, fit, model._prior, starts, instants, step)[:, 0, rows].numpy()
    error = np.abs(paths - truth)
    for k, horizon in enumerate(HORIZONS):
        row = [horizon]
        for level in LEVELS:
            inside = (error[:, k] <= bands[:, k] * stats.norm.ppf((1 + level) / 2)).mean(-1)
            row += [inside.mean(), stats.ttest_1samp(inside, level).pvalue]
        yield [*row, float(np.sqrt(((error[:, k] / std[0]) ** 2).mean())), len(error)]


def table(rows: Sequence[Sequence[float]], system: str) -> str:
    """In Markdown, with Holm's decisions over all cells."""
    p_values = holm(np.array([p for row in rows for p in row[5:10:2]], dtype=float)).reshape(len(rows), -1)
    body = []
    for row, p in zip(rows, p_values, strict=True):
        shares = [f"{100 * row[4 + 2 * k]:.1f}{'*' if p[k] < 0.05 else ''}" for k in range(len(LEVELS))]
        body.append([f"{row[0]:.0%}", f"{row[1]:.0%}", f"{row[2]:.0f}", f"{row[3]:g}", *shares, f"{row[10]:.2g}"])
    pooled = " / ".join(f"{100 * np.mean([row[4 + 2 * k] for row in rows]):.1f}" for k in range(len(LEVELS)))
    note = f"Pooled {pooled}; * rejected by Holm at 5 %: {int((p_values < 0.05).sum())} of {p_values.size}."
    return f"# How often bands of forecasts hold the truth: {system}\n\n" + markdown(HEADS, body, [note])


def main() -> None:
    """Train, adapt, forecast, count what is missing; then write the table."""
    chosen = command_line()
    torch.set_grad_enabled(False)
    folder = chosen.folder or FOLDER / chosen.system
    simulation = None
    for trained_with, shots in product(chosen.trained, chosen.shots):
        place = folder / f"records-{trained_with:g}-{shots}.csv"
        rows = records([place])
        if rows and all(row[-1] == chosen.members for row in rows):
            continue
        with torch.enable_grad():
            model = trained(trained_with, chosen.outputs, chosen.system)
        simulation = simulation or family(system_of(model), None, chosen.members, SPLIT)
        lines: list[dict[str, Any]] = []
        for noise in NOISES:
            for row in cell(model, simulation, spread(simulation), noise, shots):
                values = [trained_with, noise, shots, *row]
                lines.append({name: f"{value:.6g}" for name, value in zip(NAMES, values, strict=True)})
        write_atomically(place, as_csv(lines))
    rows = sorted(records(folder.glob("records-*.csv")))
    write_atomically(folder / "table.md", table(rows, chosen.system))
    sign(folder, ["scripts/forecast_coverage.py", *sys.argv[1:]])
    print((folder / "table.md").read_text())


if __name__ == "__main__":
    main()
