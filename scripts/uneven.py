"""Pendulums seen at uneven instants, as states alone: python scripts/uneven.py [--instants random] [--noise 0.01]

Thirty training members x 10 trajectories of 10 time units with 101 instants each, and 10 new members of which 5 are
seen; the weak form beside derivatives from a smoothing spline, the same budget. Instants are even, even with a jitter
of 40 % of the step, drawn at random, or in bursts of ten within a quarter of the time. Errors are relative ones of
rollouts over the other five trajectories, against the truth. Writes records.csv and table.md into
outputs/reference/uneven, cell by cell; a cell that is there is not made again.
"""

from __future__ import annotations

from argparse import Namespace
from itertools import product
from pathlib import Path

from metastruct.runs.arguments import Flags, counted, numbered, placed

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "uneven"
INSTANTS = ("even", "jitter", "random", "bursts")
WAYS = {
    "weak": {},
    "spline": {"objective": "derivatives", "optimizer": "soap", "data.derivatives": "spline"},
}


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    parser.add_argument("--instants", nargs="+", choices=INSTANTS, default=INSTANTS)
    parser.add_argument("--noise", nargs="+", type=numbered(), default=(0.0, 0.01, 0.05), help="over the spread")
    parser.add_argument("--ways", nargs="+", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--seeds", type=counted(), default=1)
    parser.add_argument("--steps", type=counted(), default=4000)
    parser.add_argument("--outputs", type=placed(), default=str(ROOT / "outputs"))
    parser.add_argument("--folder", type=placed(), default=FOLDER, help="for the records")
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

import csv

import numpy as np
from cells import Row, commit, write

import metastruct
from metastruct.config.schema import composed
from metastruct.data.draws import drawn
from metastruct.data.simulate import integrate
from metastruct.data.trajectory import Array
from metastruct.running.assembly import build_system
from metastruct.running.run import Run
from metastruct.runs.lines import markdown

HORIZON, COUNT, FINE = 10.0, 101, 40  # instants between two that are evenly seen, among which others are
TRAIN, TEST, TRAJECTORIES, SEEN = 30, 10, 10, 5
KEY = ("instants", "noise", "objective", "seed")
TITLE = """# Pendulums seen at uneven instants

30 training members x 10 trajectories of 10 time units with 101 instants, states alone; 10 new members from 5 of their
trajectories; relative errors of rollouts over the other 5 against the truth, x 1e-2.

"""


def instants(kind: str, random: np.random.Generator) -> Array:
    """Which of the fine instants are seen `[instants]`."""
    last = (COUNT - 1) * FINE
    even = np.arange(0, last + 1, FINE)
    if kind == "jitter":
        even[1:-1] += np.rint(random.uniform(-0.4, 0.4, COUNT - 2) * FINE).astype(int)
    elif kind == "random":
        even[1:-1] = np.sort(random.choice(np.arange(1, last), COUNT - 2, replace=False))
    elif kind == "bursts":
        places = np.arange(COUNT - 1)
        even[:-1] = 10 * FINE * (places // 10) + (FINE // 4) * (places % 10)
    return even


def cell(kind: str, noise: float, way: str, seed: int, options: Namespace) -> Row:
    """Errors of the new members of one training."""
    law = build_system(Run.of(composed("system=pendulum", "logger=none")).config)
    assert law is not None
    times = np.linspace(0.0, HORIZON, (COUNT - 1) * FINE + 1)
    paths = []
    for split, tasks in enumerate((TRAIN, TEST)):
        parameters, starts = drawn(law, split, tasks, TRAJECTORIES, 0)
        paths.append(integrate(law, starts, parameters, times, 1e-10))
    spread = paths[0].std((0, 1, 2))
    random = np.random.default_rng([seed, INSTANTS.index(kind)])

    def seen(path: Array) -> tuple[Array, Array]:
        rows = instants(kind, random)
        return times[rows], path[rows] + noise * spread * random.standard_normal((len(rows), path.shape[-1]))

    family = metastruct.Family.from_arrays([[*map(seen, member)] for member in paths[0]], states=["q", "p"])
    settings = {"trainer.threads": 1, **WAYS[way]}
    model = metastruct.fit(
        family, "hamiltonian", "svd", 5, options.steps, seed=seed, outputs=options.outputs, settings=settings
    )
    errors, flagged = [], 0
    for member in paths[1]:
        observed = [*map(seen, member[:SEEN])]
        adapted = model.adapt([x for _, x in observed], times=[t for t, _ in observed])
        flagged += bool(adapted.flags)
        for path in member[SEEN:]:
            forecast = adapted.rollout(path[0], times[::FINE])
            errors.append(np.linalg.norm((forecast - path[::FINE]) / spread) / np.linalg.norm(path[::FINE] / spread))
    figures = [f"{100 * value:.4g}" for value in (np.mean(errors), np.median(errors), np.max(errors))]
    loss = f"{model.history[-1][1]:.4g}"
    values = (kind, str(noise), way, str(seed), *figures, str(flagged), loss, f"{model.trained.seconds:.0f}", commit())
    return dict(zip((*KEY, "mean", "median", "largest", "flagged", "loss", "seconds", "commit"), values, strict=True))


def table(rows: list[Row]) -> str:
    """Means over seeds."""
    body = []
    for kind, noise, way in dict.fromkeys((row["instants"], row["noise"], row["objective"]) for row in rows):
        cells = [row for row in rows if (row["instants"], row["noise"], row["objective"]) == (kind, noise, way)]
        figures = [f"{np.mean([float(row[name]) for row in cells]):.3g}" for name in ("mean", "median", "flagged")]
        body.append([kind, f"{float(noise):.0%}", way, f"{len(cells)}", *figures])
    heads = ("instants", "noise", "objective", "seeds", "mean error", "median error", f"members of {TEST} flagged")
    return TITLE + markdown(heads, body, [])


def main() -> None:
    """Every cell that is asked for and not there."""
    options = command_line()
    place = Path(options.folder) / "records.csv"
    rows: list[Row] = [*csv.DictReader(place.open(newline=""))] if place.exists() else []
    asked = product(range(options.seeds), options.noise, options.instants, options.ways)
    for seed, noise, kind, way in asked:
        if all(tuple(row[name] for name in KEY) != (kind, str(noise), way, str(seed)) for row in rows):
            rows.append(cell(kind, noise, way, seed, options))
            write(Path(options.folder), rows, table(rows))
            print(*rows[-1].values(), sep="\t", flush=True)


if __name__ == "__main__":
    main()
