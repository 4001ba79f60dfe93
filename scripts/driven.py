"""Mechanics in (q, v), driven and damped: errors, horizons, the balance of power and the cost of a step.

    python scripts/driven.py                                 everything that is missing, three seeds
    python scripts/driven.py --seeds 0 --only errors         some of it: balance, step, growth, lyapunov, horizons

A cell that is finished is kept at once, in records.csv and table.md of outputs/reference/driven/, and is not made anew.
Runs are those of experiment=driven; a chaotic family is measured over two Lyapunov times of its own law.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from forecaster import QUERY, RATE, TASKS, Forecaster, words
from torch import Tensor

from metastruct.benchmark.timing import ratio
from metastruct.config.schema import composed, groups
from metastruct.data.recordings import Recordings
from metastruct.data.simulate import drawn, instants, integrate, integrate_driven, signals
from metastruct.data.trajectory import Member, Trajectory
from metastruct.dynamics.dynamics import Scales
from metastruct.dynamics.mechanical import Mechanical
from metastruct.dynamics.triangular import times as product
from metastruct.running.assembly import build_learner, build_model, component
from metastruct.running.experiment import run
from metastruct.running.run import Run
from metastruct.runs.files import write_atomically
from metastruct.runs.flags import Flags, counted, placed
from metastruct.runs.lines import markdown
from metastruct.runs.provenance import git_commit, sign
from metastruct.runs.tables import as_csv

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "driven"
MEAN = "trajectory_error mean"
BARS = {  # of mechanical dynamics, by part, system and figure
    ("errors", "driven_pendulum", MEAN): "0.5",
    ("errors", "cart_pole", MEAN): "1.5",
    ("errors", "two_link_arm", MEAN): "3",
    ("errors", "swing", MEAN): "1.5 x the Hamiltonian pendulum",
    ("lyapunov", "double_pendulum", "median error over two"): "5",
    **{("step", "", f"n = {n}, friction none"): "3" for n in (1, 2, 4, 8)},
}
DRIVEN, BOTH = ("driven_pendulum", "cart_pole", "two_link_arm"), ("mechanical", "unstructured")
PAIRS = [("pendulum", "hamiltonian"), ("swing", "mechanical"), *((s, d) for s in DRIVEN for d in BOTH)]
CHAOTIC, LONG, HORIZON = "double_pendulum", ("driven_pendulum", "cart_pole"), 10.0
CALM = 1000  # largest factor over the query trajectories by which an error of the start grows
Row = dict[str, Any]


def errors(system: str, dynamics: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """Of the new members over their query trajectories, and processor seconds of the training."""
    metrics = json.loads(run(composed(*words(system, dynamics, seed, outputs))).metrics.read_text())
    for name in ("trajectory_error", "field_error"):
        yield f"{name} mean", metrics[name]["mean"]
        yield f"{name} median", metrics[name]["median"]
    yield "training seconds", metrics["seconds"]["training"]


def horizons(system: str, dynamics: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """Errors over 1, 10 and 100 times the horizon of the training; rollouts that left count as infinite."""
    spans = (HORIZON, 10 * HORIZON, 100 * HORIZON)
    for span, values in zip(spans, Forecaster(system, dynamics, seed, outputs).errors(spans), strict=True):
        yield f"median error over {span:g}", float(np.median(np.nan_to_num(values, nan=np.inf)))


def lyapunov(system: str, dynamics: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """Errors over two Lyapunov times of the law, one over its mean largest exponent."""
    forecaster = Forecaster(system, dynamics, seed, outputs)
    exponent = largest_exponent(forecaster.law)
    (values,) = forecaster.errors((2 / exponent,))
    yield "Lyapunov time", 1 / exponent
    yield "median error over two", float(np.median(values))
    yield "mean error over two", float(np.mean(values))


@cache
def largest_exponent(law: Any, lengths: int = 100, length: float = 0.5, apart: float = 1e-7) -> float:
    """Mean over members and starts of the rate at which neighbours part, renewed after each length (Benettin 1980)."""
    mu, starts = drawn(law, 1, TASKS, QUERY[-1] + 1, 0)
    x, total = starts[:, QUERY], 0.0
    offset = np.random.default_rng(0).normal(size=x.shape)
    for number in range(lengths):
        offset *= apart / np.linalg.norm(offset, axis=-1, keepdims=True)
        ends = integrate(law, np.concatenate([x, x + offset], 1), mu, np.array([0.0, length]), 1e-11)[:, :, -1]
        x, neighbour = np.split(ends, 2, axis=1)
        offset = neighbour - x
        if number >= lengths // 10:  # first it turns into the direction of growth
            total = total + np.log(np.linalg.norm(offset, axis=-1) / apart)
    return float(np.mean(total) / (length * (lengths - lengths // 10)))


def growth(system: str, dynamics: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """How the errors of members go with what their own law makes of an error of the start: is it chaos that misses?"""
    folder, law = run(composed(*words(system, dynamics, seed, outputs))), component(composed(f"system={system}").system)
    rows = [row for row in csv.DictReader(folder.records.open(newline="")) if row["metric"] == "trajectory_error"]
    values = np.array([float(row["value"]) for row in rows if not row["component"]])
    mu, starts = drawn(law, 1, TASKS, 10, 0)
    times, query = instants(HORIZON, round(RATE * HORIZON) + 1), slice(5, None)
    inputs = signals(law, 1, TASKS, 10, times, 0)
    assert inputs is not None
    offset = np.random.default_rng(0).normal(size=starts[:, query].shape)
    offset *= 1e-6 / np.linalg.norm(offset, axis=-1, keepdims=True)
    here, there = (
        integrate_driven(law, starts[:, query] + shift, mu, times, inputs[:, query], 1e-8) for shift in (0, offset)
    )
    factors = np.linalg.norm(there - here, axis=-1).max((1, 2)) / 1e-6
    calm = factors < CALM
    yield f"members whose law makes less than {CALM} of a start's error", float(calm.sum())
    yield "mean error of these", float(values[calm].mean())
    yield "correlation of the logarithms of both", float(np.corrcoef(np.log(values), np.log(factors))[0, 1])


def step(system: str, dynamics: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """Processor time of an outer step of Adam over that of Hamiltonian dynamics of as many coordinates."""
    for n in (1, 2, 4, 8):
        hamiltonian = stepping("system=pendulum", n)
        for friction in ("none", "viscous"):
            mechanical = stepping("system=swing", n, f"dynamics.friction={friction}")
            yield f"n = {n}, friction {friction}", ratio(mechanical, hamiltonian, 40, time.process_time)


def stepping(system: str, coordinates: int, *more: str) -> Callable[[], object]:
    """One outer step of 70 members that have so many coordinates."""
    generator = np.random.default_rng(0)
    states, slopes = generator.normal(size=(2, 70, 100, 2 * coordinates))
    members = [Member((Trajectory(np.arange(100.0), *each),)) for each in zip(states, slopes, strict=True)]
    config = Run.of(composed(system, "optimizer=adam", "locality=none", *more)).config
    learner: Any = build_learner(config, Recordings(members, torch.float32))
    learner.configure_optimizers()
    numbers = iter(range(10_000))
    return lambda: learner.outer_update(next(numbers))


def balance(system: str, dynamics: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """|dE/dt + what friction takes - what inputs give| over the sizes of the terms, the largest of random nets."""
    for modulation in groups()["modulation"]:
        yield modulation, imbalance(dynamics, modulation)
    if dynamics == "mechanical":
        with patch.object(Mechanical, "_coriolis", whole_slope):
            yield "control: Coriolis terms without their half", imbalance(dynamics, "svd")


def whole_slope(self: Any, place: Any, mass: Any, factor: Tensor) -> Tensor:
    """Coriolis terms that take the slope of w^T M w, not of its half."""
    triangular, w = self.factors["mass"], place.w
    turning = triangular.along(mass.value, mass.along(self.chart.along(place.y, w)))
    u = product(factor.mT, w)
    slope = 2 * self.chart.back(place.y, mass.back(triangular.back(mass.value, w, u)))
    return product(turning, u) + product(factor, product(turning.mT, w)) - slope


def imbalance(dynamics: str, modulation: str) -> float:
    """Of three coordinates, or pairs, two inputs and twenty nets of double precision."""
    torch.manual_seed(0)
    mean, std, rate = torch.rand(3, 6, dtype=torch.float64) + 0.5
    centre, spread = torch.rand(2, 2, dtype=torch.float64) + 0.5
    friction = {"mechanical": "rayleigh", "port_hamiltonian": "state"}[dynamics]
    more = (f"dynamics.friction={friction}", "dynamics.drive=state", f"modulation={modulation}")
    config = Run.of(composed(f"dynamics={dynamics}", *more)).config
    largest = 0.0
    for _ in range(20):
        model = build_model(config, Scales(mean, std, rate, input_mean=centre, input_std=spread)).double()
        x = torch.randn(5, 20, 6, dtype=torch.float64, requires_grad=True)
        codes, u = torch.randn(5, model.code_dim, dtype=torch.float64), torch.randn(5, 20, 2, dtype=torch.float64)
        codes = codes * min(1.0, 2 / model.code_dim**0.5)
        (gradient,) = torch.autograd.grad(model.energy(x, codes).sum(), x)
        parts = gradient * model.vector_field(x, codes, u)
        taken, supplied = model.dynamics.powers(x, model.modulation(codes), u)
        relative = (parts.sum(-1) + taken - supplied).abs() / (parts.abs().sum(-1) + taken + supplied.abs())
        largest = max(largest, relative.max().item())
    return largest


def cells(seeds: list[int]) -> Iterator[tuple[str, str, str, int]]:
    """Part, system, dynamics and seed, the quick ones first."""
    yield from (("balance", "", dynamics, 0) for dynamics in ("mechanical", "port_hamiltonian"))
    yield "step", "", "mechanical", 0
    for seed in seeds:
        yield from (("errors", *pair, seed) for pair in PAIRS)
        yield "growth", "two_link_arm", "mechanical", seed
        yield from (("lyapunov", CHAOTIC, dynamics, seed) for dynamics in BOTH)
        yield from (("horizons", s, dynamics, seed) for s in LONG for dynamics in BOTH)


def table(rows: list[Row]) -> str:
    """Means over seeds (least, most), errors x 1e-2, of each figure of each part."""
    figures = dict.fromkeys((row["part"], row["system"], row["dynamics"], row["figure"]) for row in rows)
    body = []
    for key in figures:
        those = [row for row in rows if (row["part"], row["system"], row["dynamics"], row["figure"]) == key]
        values = [float(row["value"]) * (100 if "error" in row["figure"] else 1) for row in those]
        spread = f" ({min(values):.3g}, {max(values):.3g})" if len(values) > 1 else ""
        bar = BARS.get((key[0], key[1], key[3]), "") if key[2] == "mechanical" else ""
        if key[0] == "balance":
            bar = "above 1e-2" if "control" in key[3] else "1e-12"
        body.append([*key, f"{statistics.mean(values):.3g}{spread}", str(len(values)), bar])
    heads = ["part", "system", "dynamics", "figure", "value (errors x 1e-2)", "seeds", "bar"]
    return "# Mechanics in (q, v), driven and damped\n\n" + markdown(heads, body, [])


PARTS: dict[str, Callable[[str, str, int, str], Iterator[tuple[str, float]]]]
PARTS = {part.__name__: part for part in (balance, step, errors, growth, lyapunov, horizons)}


def main() -> None:
    """Make what is missing, one cell after another."""
    parser = Flags(__doc__)
    parser.add_argument("--seeds", nargs="+", type=counted(0), default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--systems", nargs="+", help="of these alone")
    parser.add_argument("--outputs", type=placed(), default=str(ROOT / "outputs"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    place = FOLDER / "records.csv"
    rows: list[Row] = list(csv.DictReader(place.open(newline=""))) if place.exists() else []
    for part, system, dynamics, seed in cells(options.seeds):
        key = {"part": part, "system": system, "dynamics": dynamics, "seed": str(seed)}
        wanted = part in options.only and system in (options.systems or [system])
        if not wanted or any(key.items() <= row.items() for row in rows):
            continue
        began = time.process_time()
        results = [*PARTS[part](system, dynamics, seed, options.outputs)]
        common = {"seconds": f"{time.process_time() - began:.0f}", "commit": git_commit()[:12]}
        rows += [key | {"figure": name, "value": f"{value:.6g}"} | common for name, value in results]
        write_atomically(place, as_csv(rows))
        write_atomically(FOLDER / "table.md", table(rows))
        print(part, system, dynamics, seed, *(f"{name} {value:.3g}" for name, value in results), sep="  ", flush=True)
    sign(FOLDER, ["scripts/driven.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
