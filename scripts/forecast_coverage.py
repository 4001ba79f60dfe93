"""Do bands of forecasts hold, by horizon? python scripts/forecast_coverage.py [--system pendulum] [--trained 0 0.05]

The trainings, members and supports of `scripts/coverage.py`; each member is forecast from the exact start of one query
trajectory, and bands of 50, 80 and 95 % (Gaussian, by the forecast's standard deviation) are counted at instants early
and late in it, both components together. A cell is tested by its members, with Holm's correction over all of a table.
Writes records, a file for each training and number of shots, and table.md into
outputs/reference/forecast_coverage/SYSTEM.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence

from cells import ROOT, of_coverage

from metastruct.runs.arguments import Flags

FOLDER = ROOT / "outputs" / "reference" / "forecast_coverage"
TRAININGS, NOISES, SHOTS = (0.0, 0.05), (0.0, 0.05), (10, 200)


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    of_coverage(parser, FOLDER, TRAININGS, SHOTS)
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

import numpy as np
import torch
from coverage import LEVELS, SUPPORT, fitted, make, observed, shares
from scipy import stats

from metastruct.api.model import Model
from metastruct.data.simulate import Simulation
from metastruct.evaluation.forecast import state_std
from metastruct.integrators.rollout import rollout
from metastruct.runs.lines import markdown
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
    """In Markdown."""
    marked, note = shares(rows, 4)
    body = []
    for row, each in zip(rows, marked, strict=True):
        body.append([f"{row[0]:.0%}", f"{row[1]:.0%}", f"{row[2]:.0f}", f"{row[3]:g}", *each, f"{row[10]:.2g}"])
    return f"# How often bands of forecasts hold the truth: {system}\n\n" + markdown(HEADS, body, [note])


if __name__ == "__main__":
    make(command_line(), FOLDER, NOISES, NAMES, cell, table)
