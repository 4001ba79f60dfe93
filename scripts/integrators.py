"""Which integrator for mechanics: python scripts/integrators.py [--outputs outputs]

Learned members of experiment=driven, seed 0, along one query trajectory each for ten times the horizon of their
training, by every integrator that goes with them, at steps of 0.05 and 0.1: the error of states and of the energy
against RK4 at a step of 0.01, over the size of the states and the range of the energy, and what it costs, in
evaluations of the field, the energy or its gradient. Writes records.csv and table.md to outputs/reference/integrators/.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from forecaster import Forecaster, true_paths

from metastruct.config.facts import settings_of
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.running.assembly import component
from metastruct.runs.files import write_atomically
from metastruct.runs.flags import Flags, placed
from metastruct.runs.lines import markdown
from metastruct.runs.provenance import sign
from metastruct.runs.tables import as_csv

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "integrators"
SCHEMES = ("rk4", "energy_projection", "gauss_legendre", "implicit_midpoint", "balanced_midpoint", "verlet")
SYSTEMS, STEPS, SPAN, MEMBERS = ("swing", "driven_pendulum"), (0.05, 0.1), 100.0, 3


@torch.no_grad()
def measured(system: str, outputs: str) -> list[dict[str, Any]]:
    """One line a scheme and step."""
    forecaster = Forecaster(system, "mechanical", 0, outputs)
    times, starts, inputs, _ = true_paths(forecaster.law, SPAN)
    chosen = slice(MEMBERS)
    dynamics, stride = forecaster.model.trained.model.dynamics, 2  # instants of 0.1
    ends, x = torch.from_numpy(times)[::stride], torch.from_numpy(starts[chosen, :1])
    driving, updates = inputs[chosen, :1, ::stride], forecaster.updates(chosen)
    exact = rollout(forecaster.flow(ends, driving, chosen, recorded=True), x, ends, RK4(0.01))
    energy = dynamics.energy(exact.flatten(1, 2), updates)
    lines = []
    for name in SCHEMES:
        for step in STEPS:
            scheme = component(settings_of("integrator", name))
            scheme.step_size = step
            flow, began = forecaster.flow(ends, driving, chosen), time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                path = rollout(flow, x, ends, scheme)
            off = (dynamics.energy(path.flatten(1, 2), updates) - energy).abs().amax() / (energy.amax() - energy.amin())
            error = float((path - exact).norm() / exact.norm())
            figures = {"error": error, "energy error": float(off), "evaluations": flow.evaluations / SPAN * step}
            lines.append({"system": system, "integrator": name, "step": step} | figures)
            lines[-1]["seconds"] = time.process_time() - began
            print(*lines[-1].values(), flush=True)
    return lines


def main() -> None:
    """Measure and write the folder of record."""
    parser = Flags(__doc__)
    parser.add_argument("--outputs", type=placed(), default=str(ROOT / "outputs"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [line for system in SYSTEMS for line in measured(system, options.outputs)]
    write_atomically(FOLDER / "records.csv", as_csv(lines))
    body = [[f"{value:.2g}" if isinstance(value, float) else str(value) for value in line.values()] for line in lines]
    heads = ["system", "integrator", "step", "error", "energy error", "evaluations a step", "processor seconds"]
    write_atomically(FOLDER / "table.md", "# Integrators of learned mechanisms\n\n" + markdown(heads, body, []))
    sign(FOLDER, ["scripts/integrators.py", *sys.argv[1:]])
    assert np.isfinite([line["error"] for line in lines]).any()


if __name__ == "__main__":
    main()
