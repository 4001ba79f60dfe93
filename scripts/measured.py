"""Members that are measured as states alone: what the objectives make of them, and the Lotka-Volterra figure.

    python scripts/measured.py                       every cell, three seeds, then Lotka-Volterra
    python scripts/measured.py seeds=0 only=weak rates=20 noises=0.0,0.05     some of them, beside other commands
    python scripts/measured.py lotka                 the Lotka-Volterra figure alone

Settings are those of experiment=measured for every cell. A cell that is finished is kept at once, in records.csv and
table.md of outputs/reference/measured/, and is not made again; `outputs=` says where runs go.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "measured"
WORDS = (
    "experiment=measured",
    "system=pendulum",
    "logger=none",
    "evaluation.figures=false",
    "evaluation.metrics=[field_error,trajectory_error,coverage_95]",
)
RATES = {"20 Hz": ("data.points=201", "shots=1005"), "5 Hz": ("data.points=51", "shots=255")}
NOISES = (0.05, 0.01, 0.0)
WAYS = {
    "weak": (),
    "spline": ("objective=derivatives", "optimizer=soap", "data.derivatives=spline"),
    "finite": ("objective=derivatives", "optimizer=soap", "data.derivatives=finite"),
}
BARS = {("20 Hz", 0.0): 0.5, ("20 Hz", 0.01): 1.0, ("20 Hz", 0.05): 3.0, ("5 Hz", 0.01): 2.0, ("5 Hz", 0.05): 5.0}
ERRORS = ("trajectory_error", "field_error", "coverage_95")
TITLE = """# Members measured as states alone

Pendulums, 30 training members x 10 trajectories of 10 time units; 10 new members from 5 trajectories of
states alone; errors over the query trajectories, x 1e-2, means over seeds (least, most). Bars are of weak.

"""
HEADS = ("rate", "noise", "objective", "seeds", "trajectory error", "bar", "field error", "95 % bars hold (%)")
NAMES = ("rate", "noise", "objective", "seed", *ERRORS, "seconds", "commit")
Row = dict[str, str]


def kept() -> list[Row]:
    """The cells that are finished."""
    from metastruct.runs.tables import read_records

    path = FOLDER / "records.csv"
    return read_records([path] if path.exists() else [])


def keep(*more: Row) -> None:
    """These beside all that are on disk, and the table."""
    from cells import write

    from metastruct.runs.files import locked

    with locked(FOLDER, lambda: None):
        rows = [*kept(), *more]
        write(FOLDER, rows, table(rows))
    for row in more:
        print(*row.values(), sep="\t", flush=True)


def table(rows: list[Row]) -> str:
    """Means over seeds x 1e-2."""
    from metastruct.runs.lines import markdown

    body = []
    for rate, noise, way in itertools.product(RATES, NOISES, WAYS):
        cells = [row for row in rows if (row["rate"], row["noise"], row["objective"]) == (rate, str(noise), way)]
        if cells:
            figures = [summary([float(row[name]) for row in cells]) for name in ERRORS]
            bar = str(BARS.get((rate, noise), "")) if way == "weak" else ""
            body.append([rate, f"{noise:.0%}", way, f"{len(cells)}", figures[0], bar, *figures[1:]])
    notes = [f"- {row['rate']}, {row['objective']}: {row['trajectory_error']}" for row in rows if not row["noise"]]
    return TITLE + markdown(HEADS, body, notes)


def summary(values: list[float]) -> str:
    """Mean (least, most) x 1e-2."""
    spread = f" ({100 * min(values):.3g}, {100 * max(values):.3g})" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.3g}{spread}"


def cell(rate: str, noise: float, way: str, seed: int, outputs: str) -> Row:
    """Errors of the ten new members of a run, made where it is not finished."""
    from metastruct.config.schema import composed
    from metastruct.running.experiment import run

    words = (*WORDS, *RATES[rate], *WAYS[way], f"data.noise={noise}", f"seed={seed}", f"outputs={outputs}")
    metrics = json.loads((run(composed(*words)).path / "metrics.json").read_text())
    figures = [f"{metrics[name]['mean']:.6g}" for name in ERRORS]
    values = (rate, str(noise), way, str(seed), *figures, f"{metrics['seconds']['training']:.0f}", metrics["commit"])
    return dict(zip(NAMES, values, strict=True))


def pendulums(seeds: list[int], ways: list[str], rates: list[str], noises: list[float], outputs: str) -> None:
    """One row a cell, seed by seed."""
    for seed, way, rate, noise in itertools.product(seeds, ways, rates, noises):
        if all([*row.values()][:4] != [rate, str(noise), way, str(seed)] for row in kept()):
            keep(cell(rate, noise, way, seed, outputs))


def lotka() -> list[Row]:
    """Mean square errors in original units of rollouts from other starts: training members, new members."""
    import numpy as np
    import torch

    from metastruct.config.schema import composed
    from metastruct.data.shots import whole
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
    support = whole([one.part(slice(4)) for one in test], objective.request)
    start = trained.start(len(test), "mean")
    fit = component(config.adaptation).fit(trained.model, objective, support, start, trained.prior())

    def error(group: list[Member], codes: torch.Tensor) -> float:
        states = torch.tensor(np.stack([[one.states for one in member.trajectories[4:]] for member in group]))
        with torch.no_grad():
            flow = trained.model.dynamics.flow(trained.model.modulation(codes))
            paths = rollout(flow, states[:, :, 0], torch.tensor(times), component(config.integrator))
        return float((paths.exp() - states.exp()).square().mean())

    errors = [error(train, trained.codes), error(test, fit.codes)]
    marks = [f"{value:.2g} (bar {bar})" for value, bar in zip(errors, ("1.2e-5", "3e-5"), strict=True)]
    said = f"mean square error {marks[0]} in domain, {marks[1]} of new members, {seconds:.0f} s of processor time"
    return [{"rate": "Lotka-Volterra", "noise": "", "objective": "rollout", "seed": "0", "trajectory_error": said}]


def main(words: list[str]) -> None:
    """Everything that the words ask for."""
    settings = dict(word.partition("=")[::2] for word in words)
    choices = {"seeds": "0,1,2", "only": ",".join(WAYS), "rates": "20,5", "noises": ",".join(map(str, NOISES))}
    seeds, ways, rates, noises = (settings.get(*pair).split(",") for pair in choices.items())
    rates = [f"{rate} Hz" for rate in rates]
    strangers = [*({*settings} - {*choices, "outputs", "lotka"}), *({*ways} - {*WAYS}), *({*rates} - {*RATES})]
    strangers += {*noises} - {*map(str, NOISES)}
    if strangers or not all(map(str.isdigit, seeds)):
        if strangers == ["--help"]:
            print(__doc__)
            raise SystemExit(0)
        expected = f"seeds=0,1,2 only={','.join(WAYS)} outputs=FOLDER lotka"
        print(f"error: the words must be among {expected}, got {' '.join(words)}; --help says more", file=sys.stderr)
        raise SystemExit(2)
    if "lotka" not in settings:
        outputs = settings.get("outputs", str(ROOT / "outputs"))
        pendulums([*map(int, seeds)], ways, rates, [*map(float, noises)], outputs)
    if {*settings} <= {"lotka", "outputs"} and not [row for row in kept() if not row["noise"]]:
        keep(*lotka())


if __name__ == "__main__":
    main(sys.argv[1:])
