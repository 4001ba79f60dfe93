"""Which integrator for mechanics: python scripts/integrators.py [--systems swing] [--schemes rk4] [--outputs outputs]

Learned members of experiment=driven, seed 0, along one query trajectory each for ten times the horizon of their
training, by every integrator that goes with them, at steps of 0.05 and 0.1: the error of states and of the energy
against RK4 at a step of 0.01, over the size of the states and the range of the energy, and what it costs, in
evaluations of the field, the energy or its gradient. Writes records.csv and table.md to outputs/reference/integrators/,
after every scheme; what is there is not measured anew. With --folder and --merge as in scripts/driven.py.
"""

from __future__ import annotations

import time
import warnings
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from cells import Row, arguments, commit, kept, write

from metastruct.runs.arguments import Flags, placed

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "integrators"
SCHEMES = ("rk4", "energy_projection", "gauss_legendre", "implicit_midpoint", "balanced_midpoint", "verlet")
SYSTEMS, STEPS, SPAN, MEMBERS = ("swing", "driven_pendulum"), (0.05, 0.1), 100.0, 3


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--schemes", nargs="+", choices=SCHEMES, default=SCHEMES)
    parser.add_argument("--outputs", type=placed(), default=str(ROOT / "outputs"))
    arguments(parser, FOLDER)
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

import torch
from forecaster import Forecaster, true_paths

from metastruct.config.facts import settings_of
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.running.assembly import component
from metastruct.runs.lines import markdown

KEY, FIGURES = ("system", "integrator", "step"), ("error", "energy error", "evaluations", "seconds")


@torch.no_grad()
def measured(system: str, cells: list[tuple[str, float]], outputs: str) -> Iterator[Row]:
    """One line a scheme and step."""
    forecaster = Forecaster(system, "mechanical", 0, outputs)
    times, starts, inputs, _ = true_paths(forecaster.law, SPAN)
    chosen = slice(MEMBERS)
    dynamics, stride = forecaster.model.trained.model.dynamics, 2  # instants of 0.1
    ends, x = torch.from_numpy(times)[::stride], torch.from_numpy(starts[chosen, :1])
    driving, updates = inputs[chosen, :1, ::stride], forecaster.updates(chosen)
    exact = rollout(forecaster.flow(ends, driving, chosen, recorded=True), x, ends, RK4(0.01))
    energy = dynamics.energy(exact.flatten(1, 2), updates)
    for name, step in cells:
        scheme = component(settings_of("integrator", name))
        scheme.step_size = step
        flow, began = forecaster.flow(ends, driving, chosen), time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = rollout(flow, x, ends, scheme)
        off = (dynamics.energy(path.flatten(1, 2), updates) - energy).abs().amax() / (energy.amax() - energy.amin())
        error = float((path - exact).norm() / exact.norm())
        figures = {"error": error, "energy error": float(off), "evaluations": flow.evaluations / SPAN * step}
        figures["seconds"] = time.process_time() - began
        line = {"system": system, "integrator": name, "step": step} | {k: f"{v:.6g}" for k, v in figures.items()}
        yield {key: str(value) for key, value in line.items()}


def table(rows: list[Row]) -> str:
    """One line a scheme and step."""
    heads = ["system", "integrator", "step", "error", "energy error", "evaluations a step", "processor seconds"]
    body = [[row[name] for name in KEY] + [f"{float(row[name]):.2g}" for name in FIGURES] for row in rows]
    return "# Integrators of learned mechanisms\n\n" + markdown(heads, body, [])


def main() -> None:
    """Measure what is missing and write the folder of record."""
    options = command_line()
    torch.set_num_threads(1)
    rows, now = kept(options, KEY), commit()
    for system in [] if options.merge else options.systems:
        there = {tuple(row[name] for name in KEY) for row in rows}
        cells = [(n, step) for n in options.schemes for step in STEPS if (system, n, str(step)) not in there]
        for line in measured(system, cells, options.outputs) if cells else ():
            rows.append(line | {"commit": now})
            write(options.folder, rows, table(rows))
            print(*line.values(), flush=True)
    rows.sort(key=lambda row: (SYSTEMS.index(row["system"]), SCHEMES.index(row["integrator"]), row["step"]))
    write(options.folder, rows, table(rows))


if __name__ == "__main__":
    main()
