"""Mechanics in (q, v), driven and damped: errors, horizons, the balance of power and the cost of a step.

    python scripts/driven.py                                 everything that is missing, three seeds
    python scripts/driven.py --seeds 0 --only errors         some of it, by part, --systems or --dynamics
    python scripts/driven.py ... --folder FOLDER             somewhere else, so that several go beside each other
    python scripts/driven.py --merge FOLDER ...              take in what was made there

A cell that is finished is kept at once, in records.csv and table.md of outputs/reference/driven/, and is not made anew.
Runs are those of experiment=driven; a chaotic family is measured over two Lyapunov times of its own law.
"""

from __future__ import annotations

import csv
import json
import statistics
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cells import Row, arguments, commit, kept, write

from metastruct.config.facts import options
from metastruct.runs.arguments import Flags, counted, placed

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "driven"
PARTS = ("balance", "step", "sensitivity", "accuracy", "errors", "growth", "lyapunov", "horizons")


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    parser.add_argument("--seeds", nargs="+", type=counted(0), default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--systems", nargs="+", choices=options("system"), help="of these alone")
    parser.add_argument("--dynamics", nargs="+", choices=options("dynamics"), help="of these alone")
    parser.add_argument("--outputs", type=placed(), default=str(ROOT / "outputs"))
    arguments(parser, FOLDER)
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

import chaos
import numpy as np
import torch
from balance import balance
from forecaster import Forecaster, words

from metastruct.benchmark.timing import ratio
from metastruct.config.schema import composed
from metastruct.data.recordings import Recordings
from metastruct.data.trajectory import Member, Trajectory
from metastruct.running.assembly import build_learner, component
from metastruct.running.experiment import run
from metastruct.running.run import Run
from metastruct.runs.lines import markdown

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
PAIRS = [
    *(("pendulum", "hamiltonian"), ("swing", "mechanical"), *((s, d) for s in DRIVEN for d in BOTH)),
    *(*(("spring_chain", d) for d in BOTH), ("rlc_circuit", "port_hamiltonian"), ("rlc_circuit", "unstructured")),
]
CHAOTIC, HORIZON = "double_pendulum", 10.0
VARIANTS = {  # of the arm, beside 896 steps of Adam and 224 iterations for 1120 residuals each
    "drive_shared": ("dynamics.shared=[drive]",),  # all members have the same motors
    "code_6": ("modulation.code_dim=6",),  # numbers that M, V and D are affine in
    "shared_code_6": ("dynamics.shared=[drive]", "modulation.code_dim=6"),
    "width_96": ("net.width=96",),
    "iterations_900": ("trainer.steps=1800", "optimizer.warm_start=0.5"),
    "iterations_900_shared": ("trainer.steps=1800", "optimizer.warm_start=0.5", "dynamics.shared=[drive]"),
    "rows_4480": (  # many residuals an iteration, many iterations, which a processor takes hours for
        *("trainer.accelerator=cuda", "trainer.steps=2000", "optimizer.warm_start=0.4"),
        *("optimizer.rows=4480", "learner.point_batch=32", "trainer.compile=never"),
    ),
}
VARIANTS["rows_4480_code_6"] = VARIANTS["rows_4480"] + VARIANTS["shared_code_6"]
CALM = 1000  # largest factor over the query trajectories by which an error of the start grows


def errors(
    system: str, dynamics: str, seed: int, outputs: str, more: Sequence[str] = ()
) -> Iterator[tuple[str, float]]:
    """Of the new members over their query trajectories, and processor seconds of the training."""
    metrics = json.loads(run(composed(*words(system, dynamics, seed, outputs), *more)).metrics.read_text())
    for name in ("trajectory_error", "field_error", "integrator_error"):
        yield f"{name} mean", metrics[name]["mean"]
        yield f"{name} median", metrics[name]["median"]
    yield "training seconds", metrics["seconds"]["training"]


def accuracy(system: str, variant: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """The same with other settings: is more accuracy to be had, and what does it bring?"""
    yield from errors(system, "mechanical", seed, outputs, VARIANTS[variant])


def horizons(system: str, dynamics: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """Errors over 1, 10 and 100 times the horizon of the training; rollouts that left count as infinite.

    Not over 100 of arms, where a neighbour has parted by then from the law itself.
    """
    spans = tuple(factor * HORIZON for factor in ((1, 10) if system == "two_link_arm" else (1, 10, 100)))
    for span, values in zip(spans, Forecaster(system, dynamics, seed, outputs).errors(spans), strict=True):
        yield f"median error over {span:g}", float(np.median(np.nan_to_num(values, nan=np.inf)))


def lyapunov(system: str, dynamics: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """Errors over two Lyapunov times of the law, one over its mean largest exponent."""
    forecaster = Forecaster(system, dynamics, seed, outputs)
    exponent = chaos.largest_exponent(forecaster.law)
    (values,) = forecaster.errors((2 / exponent,))
    yield "Lyapunov time", 1 / exponent
    yield "median error over two", float(np.median(values))
    yield "mean error over two", float(np.mean(values))


def growth(system: str, dynamics: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """How the errors of members go with what their own law makes of an error of the start: is it chaos that misses?"""
    records = run(composed(*words(system, dynamics, seed, outputs))).records
    rows = [row for row in csv.DictReader(records.open(newline="")) if row["metric"] == "trajectory_error"]
    values = np.array([float(row["value"]) for row in rows if not row["component"]])
    factors = chaos.factors(component(composed(f"system={system}").system)).max((1, 2))
    calm = factors < CALM
    yield f"members whose law makes less than {CALM} of a start's error", float(calm.sum())
    yield "mean error of these", float(values[calm].mean())
    yield "correlation of the logarithms of both", float(np.corrcoef(np.log(values), np.log(factors))[0, 1])


def sensitivity(system: str, dynamics: str, seed: int, outputs: str) -> Iterator[tuple[str, float]]:
    """What the true law itself misses where its parameters are a little off: any model with that field error does."""
    law = component(composed(f"system={system}").system)
    rates = np.log(chaos.factors(law)[..., -1]) / HORIZON
    yield "finite-time exponent mean", float(rates.mean())
    yield "finite-time exponent largest", float(rates.max())
    for off in (1e-5, 1e-4, 1e-3):
        field, trajectory = chaos.off(law, off, seed)
        yield f"field_error mean, parameters off by {off:g}", float(field.mean())
        yield f"trajectory_error mean, parameters off by {off:g}", float(trajectory.mean())
        yield f"trajectory_error median, parameters off by {off:g}", float(np.median(trajectory))
    for step in (0.0167, 0.01, 0.0025):
        yield f"trajectory_error mean, nothing off, by RK4 in steps of {step:g}", float(chaos.stepped(law, step).mean())


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


def every(seeds: list[int]) -> Iterator[tuple[str, str, str, int]]:
    """Part, system, dynamics and seed, the quick ones first."""
    yield from (("balance", "", dynamics, 0) for dynamics in ("mechanical", "port_hamiltonian"))
    yield "step", "", "mechanical", 0
    yield "sensitivity", "two_link_arm", "law", 0
    yield from (("accuracy", "two_link_arm", variant, 0) for variant in VARIANTS)
    for seed in seeds:
        for pair in PAIRS:
            yield "errors", *pair, seed
            if pair == ("two_link_arm", "mechanical"):
                yield "growth", *pair, seed
            if pair[0] not in ("pendulum", "swing"):
                yield "horizons", *pair, seed
        yield from (("lyapunov", CHAOTIC, dynamics, seed) for dynamics in BOTH)


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


MEASURED = dict(zip(PARTS, (balance, step, sensitivity, accuracy, errors, growth, lyapunov, horizons), strict=True))
KEY = ("part", "system", "dynamics", "seed")


def ordered(rows: list[Row]) -> list[Row]:
    """In the order of the cells."""
    order = [tuple(map(str, cell)) for cell in every(sorted({int(row["seed"]) for row in rows}))]
    return sorted(rows, key=lambda row: order.index(tuple(row[name] for name in KEY)))


def main() -> None:
    """Make what is missing, one cell after another."""
    chosen = command_line()
    torch.set_num_threads(1)
    rows, now = kept(chosen, KEY), commit()
    for part, system, dynamics, seed in [] if chosen.merge else every(chosen.seeds):
        key = {"part": part, "system": system, "dynamics": dynamics, "seed": str(seed)}
        places = (part, chosen.only), (system, chosen.systems), (dynamics, chosen.dynamics)
        if any(chosen and word not in chosen for word, chosen in places) or any(
            key.items() <= row.items() for row in rows
        ):
            continue
        began = time.process_time()
        results = [*MEASURED[part](system, dynamics, seed, chosen.outputs)]
        common = {"seconds": f"{time.process_time() - began:.0f}", "commit": now}
        rows = ordered(rows + [key | {"figure": name, "value": f"{value:.6g}"} | common for name, value in results])
        write(chosen.folder, rows, table(rows))
        print(part, system, dynamics, seed, *(f"{name} {value:.3g}" for name, value in results), sep="  ", flush=True)
    write(chosen.folder, rows, table(rows))


if __name__ == "__main__":
    main()
