"""Members that are measured as states alone: what the objectives make of them, and the Lotka-Volterra figure.

    python scripts/measured.py                       every cell, three seeds; finished runs are not made again
    python scripts/measured.py seeds=0 only=weak     some of them
    python scripts/measured.py lotka                 the Lotka-Volterra figure alone

Prints errors x 1e-2 beside the bars, and keeps them in outputs/reference/measured/figures.csv.
"""

from __future__ import annotations

import csv
import itertools
import json
import statistics
import sys
import time
from pathlib import Path

PLACE = Path("outputs/reference/measured")
WORDS = ("experiment=measured", "system=pendulum", "logger=none", "evaluation.figures=false")
RATES = {"20 Hz": ("data.points=201", "shots=1005"), "5 Hz": ("data.points=51", "shots=255")}
NOISES = (0.0, 0.01, 0.05)
WAYS = {
    "weak": (),
    "spline": ("objective=derivatives", "data.derivatives=spline"),
    "finite": ("objective=derivatives", "data.derivatives=finite"),
}
BARS = {("20 Hz", 0.0): 0.5, ("20 Hz", 0.01): 1.0, ("20 Hz", 0.05): 3.0, ("5 Hz", 0.01): 2.0, ("5 Hz", 0.05): 5.0}


def cell(rate: str, noise: float, way: str, seed: int) -> dict[str, float]:
    """Errors of the ten new members of a run, made where it is not finished."""
    from metastruct.config.schema import composed
    from metastruct.running.experiment import run

    optimizer = () if noise or way != "weak" else ("trainer.steps=6000",)
    words = (*WORDS, *RATES[rate], *WAYS[way], *optimizer, f"data.noise={noise}", f"seed={seed}")
    metrics = json.loads((run(composed(*words)).path / "metrics.json").read_text())
    return {name: metrics[name]["mean"] for name in ("trajectory_error", "field_error")}


def pendulums(seeds: list[int], ways: list[str]) -> list[list[object]]:
    """One row a cell."""
    rows: list[list[object]] = []
    for rate, noise, way in itertools.product(RATES, NOISES, ways):
        errors = [cell(rate, noise, way, seed) for seed in seeds]
        means = [100 * statistics.mean(one[name] for one in errors) for name in ("trajectory_error", "field_error")]
        bar = BARS.get((rate, noise), "") if way == "weak" else ""
        rows.append([rate, noise, way, len(seeds), *(f"{mean:.3g}" for mean in means), bar])
        print(*rows[-1], sep="\t", flush=True)
    return rows


def lotka() -> list[list[object]]:
    """Mean square errors in original units of rollouts from other starts: training members, new members."""
    import numpy as np
    import torch

    from metastruct.config.schema import composed
    from metastruct.data.observations import whole
    from metastruct.data.simulate import integrate
    from metastruct.data.source import Source
    from metastruct.data.trajectory import Member, Trajectory
    from metastruct.integrators.rollout import rollout
    from metastruct.running.assembly import build_learner, build_system, component
    from metastruct.running.run import Run
    from metastruct.running.trained import Trained

    words = ("objective=rollout", "objective.samples=4", "objective.substeps=2", "trainer.steps=400")
    cfg = composed("system=lotka_volterra", "data.observed=states", "locality=none", "logger=none", *words)
    config, times = Run.of(cfg).config, 0.5 * np.arange(20)
    law = build_system(config)
    assert law is not None
    torch.set_num_threads(1)

    def members(rates: tuple[float, ...], seed: int) -> list[Member]:
        mu = np.array([[0.5, beta, 0.5, delta] for beta, delta in itertools.product(rates, rates)])
        starts = np.log(np.random.default_rng(seed).uniform(1, 3, (len(mu), 8, 2)))
        paths = integrate(law, starts, mu, times, 1e-10)
        return [Member(tuple(Trajectory(times, x) for x in each), one) for each, one in zip(paths, mu, strict=True)]

    train, test = members((0.5, 0.75, 1.0), 0), members((0.625, 1.125), 1)
    seen = [member.part(slice(4)) for member in train]
    names = law.state_names
    source = Source("lotka_volterra", names, seen, test, 4, law, parameter_names=law.parameter_names)
    began = time.process_time()
    learner = build_learner(config, source.recordings())
    learner.complete()
    seconds = time.process_time() - began
    (result,) = learner.results()
    trained = Trained.of(learner.model, component(config.objective), result)
    objective = trained.objective
    support = whole([one.part(slice(4)) for one in test], objective.reads, objective.window, objective.least)
    start = trained.start(len(test), "mean")
    fit = component(config.adaptation).fit(trained.model, objective, support, start, trained.prior())

    def error(group: list[Member], codes: torch.Tensor) -> float:
        states = torch.tensor(np.stack([[one.states for one in member.trajectories[4:]] for member in group]))
        with torch.no_grad():
            flow = trained.model.dynamics.flow(trained.model.modulation(codes))
            paths = rollout(flow, states[:, :, 0], torch.tensor(times), component(config.integrator))
        return float((paths.exp() - states.exp()).square().mean())

    rows: list[list[object]] = [
        ["Lotka-Volterra", 0.0, "rollout", 1, f"{error(group, codes):.2g}", "", f"{bar} {name}, {seconds:.0f} s"]
        for name, group, codes, bar in (
            ("in domain", train, trained.codes, 1.2e-5),
            ("new", test, fit.codes, 3e-5),
        )
    ]
    for row in rows:
        print(*row, sep="\t", flush=True)
    return rows


def main(words: list[str]) -> None:
    """Everything that the words ask for."""
    settings = dict(word.partition("=")[::2] for word in words)
    seeds = [int(seed) for seed in settings.get("seeds", "0,1,2").split(",")]
    ways = settings.get("only", ",".join(WAYS)).split(",")
    print("rate", "noise", "objective", "seeds", "trajectory", "field", "bar", sep="\t")
    rows = [] if "lotka" in settings else pendulums(seeds, ways)
    rows += lotka()
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / "figures.csv").open("a", newline="") as file:
        csv.writer(file).writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
