"""Do error bars hold? python scripts/coverage.py [--system pendulum] [--members 400] [--trained 0 0.05] [--seed 1]

Trains a family on observations of each noise, adapts to new members from few and many observations of each
noise, and counts how often bars of 50, 80 and 95 % hold the true field at query states; a cell is tested by its
members, which are what is independent, with Holm's correction over all cells. Beside it the width over that of an
oracle, the law with unknown parameters. Cells that are there already are not made again.
Writes records, a file for each training and number of shots, so that several commands can run beside each other, and
table.md into outputs/reference/coverage/SYSTEM, of trainings with another seed SYSTEM-seedSEED; `scripts/flags.py` says
who is told.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from cells import ROOT, of_coverage

from metastruct.runs.arguments import Flags

FOLDER = ROOT / "outputs" / "reference" / "coverage"
TRAININGS, NOISES, SHOTS, LEVELS = (0.0, 0.01, 0.05), (0.0, 0.01, 0.05, 0.2), (2, 10, 50, 200), (0.5, 0.8, 0.95)


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    of_coverage(parser, FOLDER, TRAININGS, SHOTS)
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

import numpy as np
import torch
from oracle import oracle
from scipy import stats

import metastruct
from metastruct.adaptation.adaptation import Fit
from metastruct.adaptation.error_bars import error_bars
from metastruct.api.model import Model
from metastruct.config.schema import composed
from metastruct.data.noise import noisy, spread
from metastruct.data.observations import Observations
from metastruct.data.shots import Request, support
from metastruct.data.simulate import Simulation, simulate
from metastruct.data.simulated import seen
from metastruct.evaluation.effects import holm
from metastruct.running.experiment import run
from metastruct.runs.files import write_atomically
from metastruct.runs.lines import markdown
from metastruct.runs.provenance import sign
from metastruct.runs.tables import as_csv, read_records
from metastruct.systems.system import Array, System

SPLIT, SUPPORT, EVERY = 11, 5, 10  # those by which `agreement`'s constants were chosen had the seeds 5 and 77
WORDS = (
    "modulation=svd",
    "logger=none",
    "evaluation.figures=false",
    "evaluation.metrics=[field_error]",
)
NOISY = ("optimizer=soap", "trainer.steps=4000")  # Gauss-Newton solves its batches for their noise
NAMES = ["trained", "noise", "shots", *(f"{word}_{level}" for level in LEVELS for word in ("coverage", "p"))]
NAMES += ["width", "strange", "flagged", "wrong", "members"]
HEADS = ("trained", "observed", "shots", "members", "50 %", "80 %", "95 %", "width / oracle", "flagged")
TITLE = "How often error bars hold the true field"


def trained(noise: float, outputs: str, system: str = "pendulum", seed: int = 0) -> Model:
    """The model of a training on observations with this noise, made once."""
    words = (f"system={system}", *WORDS, *(NOISY if noise else ()), f"data.noise={noise}", f"seed={seed}")
    return metastruct.load(run(composed(*words, f"outputs={outputs}")).path)


def fitted(model: Model, observations: Observations, adaptation: str = "levenberg_marquardt") -> Fit:
    """Codes of members from their observations."""
    learned = model.trained
    start = learned.start(len(observations), "mean")
    return model._adaptation(adaptation, {}).fit(learned.model, learned.objective, observations, start, model._prior)


def family(system: System, mu: Array | None, members: int, seed: int) -> Simulation:
    """New members, of these parameters or of any in the range."""
    if mu is None:
        return simulate(system, seed, members, 2 * SUPPORT, 10.0, 200, 1e-9, 0)
    twin = _Fixed(system, mu)
    return simulate(twin, seed, members, 2 * SUPPORT, 10.0, 200, 1e-9, 0)  # type: ignore[arg-type]


class _Fixed:
    """A family whose members are given."""

    def __init__(self, system: System, mu: Array):
        self._system, self._mu = system, mu

    def sample_parameters(self, generator: np.random.Generator, task: int) -> Array:
        return np.asarray(self._mu[task])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)


def observed(model: Model, simulation: Simulation, std: tuple[Array, Array], noise: float, shots: int) -> Observations:
    """So many observations of each member with the noise, which is told."""
    objective = model.trained.objective
    members = seen(noisy(simulation, std, noise, 1, SPLIT, SUPPORT).members, noise, std, SUPPORT, True)
    parts = [member.part(slice(SUPPORT)) for member in members]
    return support(parts, shots, 0, objective.request)


def bars(model: Model, fit: Fit, x: Array) -> tuple[Array, list[Array]]:
    """The field at x, and half the widths of bars of each level."""
    field, halves = error_bars(model.trained.model, torch.from_numpy(x), fit, model._prior, LEVELS)
    return field.numpy(), [half.numpy() for half in halves]


def cell(
    model: Model, simulation: Simulation, std: tuple[Array, Array], noise: float, shots: int
) -> Iterator[list[float]]:
    """Coverage and p-value of each level, width over the oracle's, what is flagged, members; one row."""
    system = system_of(model)
    x = simulation.states[:, SUPPORT:, ::EVERY].reshape(len(simulation.states), -1, simulation.states.shape[-1])
    truth = system.vector_field(x, simulation.parameters)
    at = observed(model, simulation, std, noise, shots)
    fit = fitted(model, at)
    field, halves = bars(model, fit, x)
    row: list[float] = []
    for level, half in zip(LEVELS, halves, strict=True):
        inside = (np.abs(field - truth) <= half).mean((1, 2))
        row += [inside.mean(), stats.ttest_1samp(inside, level).pvalue]
    ratio = np.nan
    if noise:
        clean = replace(at, states=torch.from_numpy(_clean(simulation, at, shots)))
        ratio = np.median(
            halves[0] / stats.norm.ppf(0.75) / oracle(system, simulation.parameters, clean, std, noise, x)
        )
    assert fit.agreement is not None
    error, bar = (np.sqrt((part**2).mean((1, 2))) for part in (field - truth, halves[-1]))
    row += [ratio, float(fit.agreement.strange.double().mean()), float(fit.agreement.flagged.double().mean())]
    yield [*row, float((error > 2 * bar).mean()), len(error)]


def _clean(simulation: Simulation, at: Observations, shots: int) -> Array:
    """The true states of the same draws."""
    members = [member.part(slice(SUPPORT)) for member in simulation.members]
    return support(members, shots, 0, Request(("states",))).states.numpy()


def system_of(model: Model) -> System:
    from metastruct.running.assembly import build_system
    from metastruct.running.run import Run

    system = build_system(Run.of(model.settings).config)
    assert system is not None
    return system


def shares(rows: Sequence[Sequence[float]], first: int) -> tuple[list[list[str]], str]:
    """Percentages of each row, with Holm's decisions over all cells, and a note on all of them.

    Args:
        rows: coverage and p-value of each level, among others.
        first: column of the first coverage.
    """
    columns = range(first, first + 2 * len(LEVELS), 2)
    p_values = np.array([row[k + 1] for row in rows for k in columns], dtype=float)
    rejected = (holm(p_values) < 0.05).reshape(len(rows), -1)
    pooled = " / ".join(f"{100 * np.mean([row[k] for row in rows]):.1f}" for k in columns)
    note = f"Pooled {pooled}; * rejected by Holm at 5 %: {int(rejected.sum())} of {rejected.size}."
    marked = [
        [f"{100 * row[k]:.1f}{'*' if no else ''}" for k, no in zip(columns, each, strict=True)]
        for row, each in zip(rows, rejected, strict=True)
    ]
    return marked, note


def table(rows: Sequence[Sequence[float]], system: str) -> str:
    """In Markdown."""
    marked, note = shares(rows, 3)
    body = []
    for row, each in zip(rows, marked, strict=True):
        width = f"{row[9]:.2f}" if np.isfinite(row[9]) else "-"
        counts = [f"{row[0]:.0%}", f"{row[1]:.0%}", f"{row[2]:.0f}", f"{row[-1]:.0f}"]
        body.append([*counts, *each, width, f"{row[11]:.1%}"])
    return f"# {TITLE}: {system}\n\nNoise of the training and of the support.\n\n" + markdown(HEADS, body, [note])


def make(
    chosen: Namespace,
    folder: Path,
    noises: Sequence[float],
    names: Sequence[str],
    count: Callable[[Model, Simulation, tuple[Array, Array], float, int], Iterable[list[float]]],
    table: Callable[[Sequence[Sequence[float]], str], str],
) -> None:
    """Train, adapt, count what is missing; then write the table.

    Args:
        chosen: by `cells.of_coverage`.
        folder: of the records of all systems.
        noises: of the supports.
        names: of the columns of records.
        count: the rows of a noise and a number of shots, after those three columns that say which.
        table: of the records of a system.
    """
    torch.set_grad_enabled(False)
    place = chosen.folder or folder / f"{chosen.system}{f'-seed{chosen.seed}' if chosen.seed else ''}"
    simulation = None
    for trained_with, shots in product(chosen.trained, chosen.shots):
        path = place / f"records-{trained_with:g}-{shots}.csv"
        rows = records([path])
        there = {(row[1], row[-1]) for row in rows}
        missing = [noise for noise in noises if (noise, chosen.members) not in there]
        if not missing:
            continue
        with torch.enable_grad():
            model = trained(trained_with, chosen.outputs, chosen.system, chosen.seed)
        simulation = simulation or family(system_of(model), None, chosen.members, SPLIT)
        for noise in missing:
            new = [
                [trained_with, noise, shots, *row] for row in count(model, simulation, spread(simulation), noise, shots)
            ]
            for row in new:
                print(" ".join(f"{value:.3g}" for value in row), flush=True)
            rows = sorted([*(row for row in rows if row[1] != noise), *new])
            lines = [{name: f"{value:.6g}" for name, value in zip(names, each, strict=True)} for each in rows]
            write_atomically(path, as_csv(lines))
    write_atomically(place / "table.md", table(sorted(records(place.glob("records-*.csv"))), chosen.system))
    sign(place, [f"scripts/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    print((place / "table.md").read_text())


def records(places: Iterable[Path]) -> list[list[float]]:
    """Rows, of `NAMES`, of the files that are there."""
    return [[*map(float, row.values())] for row in read_records([place for place in places if place.exists()])]


if __name__ == "__main__":
    make(command_line(), FOLDER, NOISES, NAMES, cell, table)
