"""Energy and trajectories of adapted Hamiltonian members over 100 periods, per integrator and cost.

python scripts/long_horizon.py [RUN_FOLDER ...] [--steps 20 40 80] [--periods 100] [--trajectories 2]

Without run folders: system=pendulum modulation=svd net=separable, trained now if it is not in outputs/. What is
measured already is not measured again. Records, table and figure go to outputs/reference/long_horizon/.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from rich.progress import track

from metastruct.assembly import Trained, component
from metastruct.config import CONF, ConfigError, composed
from metastruct.evaluation.long_horizon import Orbits, measure, orbits_from, roll
from metastruct.experiment import run
from metastruct.integrators.flow import Flow
from metastruct.reports.long_horizon import write_study
from metastruct.reports.tables import Row, as_csv, read_records
from metastruct.runs.files import write_atomically
from metastruct.runs.folder import RunFolder
from metastruct.runs.keys import digest
from metastruct.tracking.console import console, note
from metastruct.validation import validate

ROOT = Path(__file__).resolve().parents[1]
REFERENCE, STORE = ROOT / "outputs" / "reference" / "long_horizon", ROOT / "outputs" / "long_horizon"
DEFAULT = ["system=pendulum", "modulation=svd", "net=separable", "logger=none", f"outputs={ROOT / 'outputs'}"]
INTEGRATORS = ("rk4", "leapfrog", "implicit_midpoint", "gauss_legendre", "energy_projection")


def default_run() -> RunFolder:
    return run(composed(*DEFAULT))


def adapted(folder: RunFolder, cfg: DictConfig, options: argparse.Namespace) -> tuple[Flow, Orbits]:
    """The flow of the adapted members of a run, and their orbits from the first query starts."""
    trained, system = Trained.load(cfg, folder.model.read_bytes()), component(cfg.system)
    with np.load(folder.evaluation) as stored, torch.no_grad():
        arrays = dict(stored)
        flow = trained.model.dynamics.flow(trained.model.modulation(torch.from_numpy(arrays["test_codes"])))
    note(f"integrating {options.periods} periods of the learned and of the true flow")
    starts = arrays["query"][:, : options.trajectories, 0]
    mu = arrays["test_parameters"]
    span = (cfg.data.horizon, options.periods, options.steps)
    return flow, orbits_from(flow, lambda x: system.vector_field(x, mu), starts, arrays["learned_energy_range"], *span)


def integrator_for(cfg: DictConfig, name: str) -> Any:
    """The integrator, or None with a note where the model does not have what it needs."""
    cfg = cfg.copy()
    cfg.integrator = OmegaConf.load(CONF / "integrator" / f"{name}.yaml")
    try:
        validate(cfg)
    except ConfigError as refusal:
        note(f"left out: {refusal}")
        return None
    return component(cfg.integrator)


def study(path: Path, options: argparse.Namespace) -> list[Row]:
    """Measure what is missing of a run folder; the rows of all its cells."""
    folder, parts, made = RunFolder(path), [], None
    cfg = OmegaConf.load(folder.config)
    assert isinstance(cfg, DictConfig)
    for steps in options.steps:
        for name in options.integrators:
            key = digest([path.name, name, steps, options.periods, options.trajectories])
            part = STORE / f"{path.name}-{name}-{steps}-{key}.csv"
            if not part.exists():
                integrator = integrator_for(cfg, name)
                if integrator is None:
                    continue
                made = made or adapted(folder, cfg, options)
                shared = {
                    "run": path.name,
                    "system": cfg.system.name,
                    "integrator": name,
                    "steps_per_period": steps,
                    "seed": cfg.seed,
                }
                write_atomically(part, as_csv(records(cell(*made, integrator, steps), shared)))
            parts.append(part)
    return read_records(parts)


def cell(flow: Flow, orbits: Orbits, integrator: Any, steps: int) -> dict[str, np.ndarray]:
    """Every metric, `[tasks, trajectories]`, of one integrator at one step."""
    name, before, clock = type(integrator).__name__, flow.evaluations, time.perf_counter()
    bar = iter(track(range(orbits.count), f"{name}, {steps} steps a period", console=console))
    states = roll(flow, orbits, integrator, steps, lambda: next(bar, None))
    next(bar, None)
    seconds, cost = time.perf_counter() - clock, (flow.evaluations - before) / orbits.count
    values = measure(flow, orbits, states, steps)
    return values | {
        "evaluations_per_period": np.full(orbits.periods.shape, cost),
        "seconds": 0 * orbits.periods + seconds,
    }


def records(values: dict[str, np.ndarray], shared: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a value."""
    return [
        shared | {"task": task, "trajectory": trajectory, "metric": metric, "value": repr(float(value))}
        for metric, array in values.items()
        for (task, trajectory), value in np.ndenumerate(array)
    ]


def main() -> None:
    """Measure what is missing, then write the folder of record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--steps", nargs="+", type=int, default=[20, 40, 80], help="steps a period; 0.618 is added")
    parser.add_argument("--periods", type=int, default=100)
    parser.add_argument("--trajectories", type=int, default=2, help="of each test task, from its query starts")
    parser.add_argument("--integrators", nargs="+", choices=INTEGRATORS, default=INTEGRATORS)
    options = parser.parse_args()
    rows = [row for path in options.runs or [default_run().path] for row in study(path, options)]
    write_atomically(REFERENCE / "records.csv", as_csv(rows))
    write_study(REFERENCE)
    print((REFERENCE / "table.md").read_text())


if __name__ == "__main__":
    main()
