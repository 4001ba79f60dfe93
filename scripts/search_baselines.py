"""Search the settings of the baselines: python scripts/search_baselines.py --minutes 60

Every method gets the same budget, gradient evaluations x points of the meta-training, by default that of the main job,
and is judged on training tasks that are held out of its training: test tasks are never looked at. Trial 0 of a learner
is its yaml as it stands, the others are drawn at random; all are screened at a share of the budget, and the best go on
to the whole of it on several seeds. Methods without a training differ in their adaptation alone.

records.csv holds one row for each trial and adaptation; a job whose rows are there is not repeated, so the search goes
on where it was stopped; begin in a new folder after a change of the yamls. chosen.json holds the best settings of each
learner as overrides for train.py.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "outputs" / "reference" / "search"
MAIN_JOB = 12_000 * 70 * 16  # outer steps x tasks x points of auto-decoding by default
HELD_OUT = 10
VARIANTS = 4  # adaptations tried on each trained net
SEEDS = (0, 1)  # of the finalists; screening uses the first

Draw = Callable[[np.random.Generator], Any]
Space = dict[str, Draw]


def choice(*values: Any) -> Draw:
    return lambda rng: values[rng.integers(len(values))]


def between(low: float, high: float) -> Draw:
    """Log-uniform, to three digits."""
    return lambda rng: float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.3g}")


BATCHES = {"learner.task_batch": choice(5, 10, 20), "learner.point_batch": choice(16, 32, 64)}
OUTER = {"optimizer.base_rate": between(5e-4, 1e-2)}
META = {"learner.inner_steps": choice(1, 3, 5, 10), "learner.learn_rates": choice(True, False), **BATCHES, **OUTER}
DESCENT = {"adaptation": choice("descent"), "adaptation.steps": choice(5, 10, 20, 50, 100)}
DESCENT |= {"adaptation.rate_factor": choice(0.3, 1.0, 2.0)}
ADAM = {"adaptation": choice("fine_tuning"), "adaptation.steps": choice(30, 100, 300, 1000)}
ADAM |= {"adaptation.learning_rate": between(1e-4, 1e-2)}
SGD = ADAM | {"adaptation.optimizer": choice("sgd"), "adaptation.learning_rate": between(3e-3, 1.0)}
ALONE = {"adaptation.steps": choice(500, 1000, 2000, 4000), "adaptation.learning_rate": between(1e-3, 3e-2)}

TRAININGS: dict[str, list[Space]] = {
    "maml": [META | {"learner.inner_rate": between(5e-3, 0.3)}],
    "anil": [META | {"learner.inner_rate": between(2e-2, 1.0)}],
    "reptile": [
        BATCHES
        | {
            "learner.inner_optimizer": choice(inner),
            "learner.inner_rate": rate,
            "learner.inner_steps": choice(5, 10, 20, 40),
            "learner.outer_rate": between(0.1, 1.0),
        }
        for inner, rate in (("adam", between(3e-4, 1e-2)), ("sgd", between(1e-2, 0.3)))
    ],
    "pretrained": [OUTER | {"learner.point_batch": choice(16, 64), "learner.task_batch": choice(20, 60)}],
    "scratch": [{}],
}
ADAPTATIONS: dict[str, list[Space]] = {
    "maml": [DESCENT, DESCENT, ADAM],
    "anil": [DESCENT, DESCENT, ADAM],
    "reptile": [ADAM, ADAM, SGD],
    "pretrained": [ADAM, ADAM, SGD],
    "scratch": [ALONE],
}


@dataclass(frozen=True)
class Row:
    """One adaptation of one trained net, measured on the held-out tasks; `score` is what is minimised."""

    system: str
    learner: str
    trial: int
    seed: int
    budget: int
    steps: int
    variant: int
    training: str
    adaptation: str
    field_error: float
    trajectory_error: float
    diverged: int
    score: float
    seconds: float


@dataclass(frozen=True)
class Job:
    """One meta-training of a trial."""

    system: str
    learner: str
    trial: int
    seed: int
    budget: int

    def training(self) -> list[str]:
        return self._drawn(TRAININGS[self.learner], 0) if self.trial else []

    def adaptations(self) -> list[list[str]]:
        """Overrides of each variant; variant 0 of trial 0 is the yaml as it stands."""
        drawn = [self._drawn(ADAPTATIONS[self.learner], variant + 1) for variant in range(VARIANTS)]
        return drawn if self.trial else [[], *drawn[1:]]

    def _drawn(self, spaces: list[Space], stream: int) -> list[str]:
        rng = np.random.default_rng([sorted(TRAININGS).index(self.learner), self.trial, stream])
        space = spaces[rng.integers(len(spaces))]
        return [f"{key}={str(draw(rng)).lower()}" for key, draw in space.items()]


def compose_with(*overrides: str) -> tuple[Any, dict[str, Any]]:
    """A configuration, checked, and its resolved settings."""
    from omegaconf import OmegaConf

    from metastruct.config import composed
    from metastruct.validation import validate

    cfg = composed(*overrides, "logger=none", f"outputs={ROOT / 'outputs'}")
    validate(cfg)
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    return cfg, settings


def run(job: Job) -> Iterator[Row]:
    """Train on all but the held-out tasks, then measure every adaptation on those."""
    import torch

    from metastruct.assembly import build_learner, component
    from metastruct.data.datamodule import FamilyData
    from metastruct.data.simulate import Simulation
    from metastruct.data.tasks import Tasks
    from metastruct.evaluation.protocol import evaluate
    from metastruct.evaluation.summary import summary
    from metastruct.runs.folder import data_folder

    torch.set_num_threads(1)
    began = time.perf_counter()
    shared = [f"system={job.system}", f"learner={job.learner}", f"seed={job.seed}", *job.training()]
    cfg, settings = compose_with(*shared)
    family = FamilyData(component(cfg.system), data_folder(settings), settings["data"], print)
    whole = family.train

    def part(rows: slice) -> Simulation:
        return Simulation(whole.times, whole.states[rows], whole.derivatives[rows], whole.parameters[rows])

    tasks, held_out = Tasks.of(part(slice(-HELD_OUT)), torch.float32), part(slice(-HELD_OUT, None))
    learner = build_learner(cfg, tasks)
    learner.steps = max(1, job.budget // learner.evaluations) if learner.evaluations else 0
    learner.configure_optimizers()
    for step in range(learner.steps):
        loss = learner.outer_update(step)
        if step % 50 == 0 and not math.isfinite(float(loss)):
            break
    training_seconds = time.perf_counter() - began
    model = learner.model.double().eval()
    start = torch.zeros(HELD_OUT, model.code_dim, dtype=torch.float64)
    for variant, overrides in enumerate(job.adaptations()):
        began = time.perf_counter()
        cfg, _ = compose_with(*shared, *overrides)
        evaluation = evaluate(
            model=model,
            start=start,
            adaptation=component(cfg.adaptation),
            integrator=component(cfg.integrator),
            system=family.system,
            test=held_out,
            support_trajectories=cfg.data.support_trajectories,
            shots=cfg.shots,
            seed=job.seed,
            side=cfg.evaluation.grid,
            box_scale=cfg.evaluation.box_scale,
        )
        found = summary(evaluation)
        errors = [found[metric]["mean"] for metric in ("field_error", "trajectory_error")]
        lost = found["diverged_tasks"]
        good = not lost and all(error is not None for error in errors)
        yield Row(
            **asdict(job),
            steps=learner.steps,
            variant=variant,
            training=" ".join(job.training()),
            adaptation=" ".join(overrides),
            field_error=math.nan if errors[0] is None else errors[0],
            trajectory_error=math.nan if errors[1] is None else errors[1],
            diverged=lost,
            score=math.sqrt(math.prod(errors)) if good else math.inf,
            seconds=training_seconds + time.perf_counter() - began,
        )


def read(path: Path) -> list[Row]:
    """The rows that are there."""
    if not path.exists():
        return []
    kinds: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}
    with open(path, newline="") as file:
        return [Row(**{f.name: kinds[str(f.type)](row[f.name]) for f in fields(Row)}) for row in csv.DictReader(file)]


def write(path: Path, rows: list[Row]) -> None:
    """All rows, at once or not at all."""
    import io

    from metastruct.runs.files import write_atomically

    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [f.name for f in fields(Row)])
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    write_atomically(path, text.getvalue())


def best_first(rows: list[Row]) -> list[tuple[float, Row]]:
    """Mean score over seeds of each trial and adaptation, with one of its rows, best first."""
    alike: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        alike.setdefault((row.trial, row.variant), []).append(row)
    means = [(statistics.fmean(row.score for row in group), group[0]) for group in alike.values()]
    return sorted(means, key=lambda pair: (pair[0], pair[1].trial, pair[1].variant))


def next_job(rows: list[Row], system: str, learner: str, budget: int, options: argparse.Namespace) -> Job | None:
    """What this learner does next: screen another trial, take a finalist to the whole budget, or nothing."""
    share = options.screen if options.screen < 1 and learner != "scratch" else 1.0
    screening = Job(system, learner, 0, SEEDS[0], int(budget * share))
    own = [row for row in rows if row.system == system and row.learner == learner]
    done = {(row.trial, row.seed, row.budget) for row in own}
    for trial in range(options.trials):
        if (trial, SEEDS[0], screening.budget) not in done:
            return replace(screening, trial=trial)
    ranked = best_first([row for row in own if row.budget == screening.budget and row.seed == SEEDS[0]])
    finalists = list(dict.fromkeys(row.trial for _, row in ranked))[: options.finalists]
    for trial in finalists:
        for seed in SEEDS:
            if (trial, seed, budget) not in done:
                return Job(system, learner, trial, seed, budget)
    return None


def choose(rows: list[Row]) -> dict[str, Any]:
    """The best of each system and learner, among the trials with the largest budget and the most seeds."""
    chosen: dict[str, Any] = {}
    for system, learner in dict.fromkeys((row.system, row.learner) for row in rows):
        own = [row for row in rows if (row.system, row.learner) == (system, learner)]
        budget = max(row.budget for row in own)
        own = [row for row in own if row.budget == budget]
        seeds = {trial: {row.seed for row in own if row.trial == trial} for trial in {row.trial for row in own}}
        most = max(len(found) for found in seeds.values())
        score, row = best_first([row for row in own if len(seeds[row.trial]) == most])[0]
        alike = [other for other in own if (other.trial, other.variant) == (row.trial, row.variant)]
        length = [f"trainer.steps={row.steps}"] if row.steps else []
        chosen.setdefault(system, {})[learner] = {
            "overrides": [f"learner={learner}", *length, *row.training.split(), *row.adaptation.split()],
            "score": score if math.isfinite(score) else None,
            "field_error": statistics.fmean(other.field_error for other in alike),
            "trajectory_error": statistics.fmean(other.trajectory_error for other in alike),
            "trial": row.trial,
            "seeds": sorted(other.seed for other in alike),
            "budget": budget,
            "outer_steps": row.steps,
            "trials_of_this_budget": len(seeds),
        }
    return chosen


def main() -> None:
    """Search in turn over the learners until the time is up or everything is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no job after this time")
    parser.add_argument("--system", default="pendulum")
    parser.add_argument("--learners", default=",".join(TRAININGS), help="comma-separated")
    parser.add_argument("--trials", type=int, default=24, help="trials of each learner that are screened")
    parser.add_argument("--finalists", type=int, default=3, help="of them, taken to the whole budget on every seed")
    parser.add_argument("--screen", type=float, default=0.1, help="share of the budget that screening takes")
    parser.add_argument("--budget", type=int, default=MAIN_JOB, help="gradient evaluations x points of a training")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    learners = options.learners.split(",")
    if unknown := set(learners) - set(TRAININGS):
        parser.error(f"--learners takes {', '.join(TRAININGS)}, got {', '.join(sorted(unknown))}")
    options.output.mkdir(parents=True, exist_ok=True)
    path, deadline = options.output / "records.csv", time.monotonic() + 60 * options.minutes
    rows, busy = read(path), True
    while busy:
        busy = False
        for learner in learners:
            job = next_job(rows, options.system, learner, options.budget, options)
            if job is None or time.monotonic() > deadline:
                continue
            busy = True
            found = list(run(job))
            rows += found
            write(path, rows)
            best = min(found, key=lambda row: row.score)
            print(
                f"{learner} trial {job.trial} seed {job.seed}, {best.steps} outer steps, {best.seconds:.0f} s: "
                f"field {100 * best.field_error:.2f} trajectory {100 * best.trajectory_error:.2f} (x 1e-2), "
                f"{best.diverged} diverged  {best.training} | {best.adaptation}",
                file=sys.stderr,
                flush=True,
            )
    (options.output / "chosen.json").write_text(json.dumps(choose(rows), indent=2) + "\n")


if __name__ == "__main__":
    main()
