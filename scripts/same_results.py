"""Show that a change of the code changes no result: python scripts/same_results.py [REVISION] [--tolerance 1e-6]

Makes the same short runs with the code of REVISION (HEAD unless given) and with that of the working tree, each through
its own train.py, conf/ and simulated data, and compares records and models bit by bit: all of the records but the key
of the run, all numbers of the model files but the seconds. A run that was killed and resumed must also end like one
that was not. Ends with 1 where anything differs. What a commit leaves is kept in outputs/same_results/, so that only
the working tree runs again.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import os
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "outputs" / "same_results"
SMALL = (
    *("trainer.steps_per_epoch=10", "trainer.accelerator=cpu", "trainer.threads=1", "logger=none"),
    *("data.train_tasks=6", "data.test_tasks=3", "data.points=40", "data.trajectories=4", "data.horizon=4"),
    *("data.support_trajectories=2", "shots=30", "net.width=16", "evaluation.grid=11", "evaluation.figures=false"),
)
FEW = "adaptation.steps=20"
RUNS = {
    "svd": (FEW,),
    "gradient": ("adaptation=gradient", FEW),
    "adam": ("optimizer=adam", FEW),
    "interrupted": (FEW,),  # of the same settings: killed at a checkpoint, then resumed
    "alternating": ("optimizer=adam", "learner.schedule=alternating", "learner.task_batch=3", "modulation=shift", FEW),
    "full_weight": ("system=duffing", "modulation=full_weight", "adaptation=levenberg_marquardt"),
    "rank_one": ("system=mass_spring", "modulation=rank_one", "net=separable", "integrator=leapfrog", FEW),
    "camel": ("modulation=camel", "data.noise=0.05"),
    "geps": ("modulation=geps", "adaptation=levenberg_marquardt"),
    "gnode": ("system=damped_oscillator", "modulation=svd", "rank=3", FEW),
    "nms": ("system=two_gas_containers", "modulation=multi_rank", "rank=2", "bracket=nms", "data.horizon=1", FEW),
    "unstructured": ("dynamics=unstructured", "modulation=shift", FEW),
    "domains": ("system=multi_domain", "data.train_tasks=2", "data.test_tasks=1", FEW),
    "replicas": ("system=duffing", "replicas=2", FEW),
    "maml": ("learner=maml", "trainer.steps=20"),
    "anil": ("learner=anil", "trainer.steps=20"),
    "reptile": ("learner=reptile", FEW),
    "pretrained": ("learner=pretrained", FEW),
    "scratch": ("learner=scratch", FEW),
}
UNREAD = {"scratch": ("trainer.steps", "trainer.steps_per_epoch")}  # settings that a run has no meaning for
INTERRUPTED, UNBROKEN, CHECKPOINTS = "interrupted", "svd", 3
PASSING = ("seconds",)  # of a model file: what no two runs share


@dataclass
class Comparison:
    """Numbers compared, the largest relative difference among them and where, and what else differs."""

    numbers: int = 0
    largest: float = 0.0
    where: str = ""
    differences: list[str] = field(default_factory=list)

    def add(self, where: str, before: float, after: float, scale: float | None = None) -> None:
        """Compare two numbers; not a number equals itself."""
        self.numbers += 1
        if before == after or (math.isnan(before) and math.isnan(after)):
            return
        size = max(abs(before), abs(after)) if scale is None else scale
        relative = abs(before - after) / size if math.isfinite(before) and math.isfinite(after) else math.inf
        if not relative <= self.largest:
            self.largest, self.where = relative, where

    def holds(self, tolerance: float) -> bool:
        return not self.differences and self.largest <= tolerance


def compared_records(before: Path, after: Path) -> Comparison:
    """Two records.csv: columns, rows and their order, and every cell but the key of the run."""
    comparison = Comparison()
    old, new = ([*csv.DictReader(path.read_text().splitlines())] for path in (before, after))
    columns = [[name for name in rows[0] if name != "run"] if rows else [] for rows in (old, new)]
    if columns[0] != columns[1]:
        comparison.differences.append(f"columns {columns[0]} became {columns[1]}")
    if not old or len(old) != len(new):
        comparison.differences.append(f"{len(old)} rows became {len(new)}")
    for number, (first, second) in enumerate(zip(old, new, strict=False), start=2):
        words = [{name: text for name, text in row.items() if name not in ("run", "value")} for row in (first, second)]
        if words[0] != words[1]:
            comparison.differences.append(f"line {number}: {words[0]} became {words[1]}")
            break
        where = " ".join(filter(None, (first["metric"], first["component"], f"of task {first['task']}")))
        comparison.add(where, float(first["value"]), float(second["value"]))
        if first["value"] != second["value"] and float(first["value"]) == float(second["value"]):
            comparison.differences.append(f"line {number}: {first['value']} is written {second['value']}")
    return comparison


def numbers_of(content: Any, name: str = "") -> Iterator[tuple[str, list[float]]]:
    """The numbers of a model file by their names: tensors and lists flat, in float64, which holds every float32."""
    import torch

    if isinstance(content, Mapping):
        for key, value in content.items():
            if key not in PASSING:
                yield from numbers_of(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, list | tuple) and any(isinstance(one, str) for one in content):
        return  # names are no numbers
    elif isinstance(content, int | float | list | tuple | torch.Tensor):
        tensor = content if isinstance(content, torch.Tensor) else torch.tensor(content, dtype=torch.float64)
        yield name, tensor.double().flatten().tolist()


def compared_models(before: Path, after: Path) -> Comparison:
    """Two model files, where the names in them agree: parameters, codes, history; differences relative to a tensor."""
    import torch

    comparison = Comparison()
    old, new = (dict(numbers_of(torch.load(path, map_location="cpu", weights_only=True))) for path in (before, after))
    for name in old.keys() & new.keys():
        if len(old[name]) != len(new[name]):
            comparison.differences.append(f"{name} had {len(old[name])} numbers and has {len(new[name])}")
            continue
        scale = max((abs(value) for value in [*old[name], *new[name]] if math.isfinite(value)), default=0.0)
        for first, second in zip(old[name], new[name], strict=True):
            comparison.add(name, first, second, scale)
    return comparison


def renamed(before: Path, after: Path) -> str:
    """The names that only one of two model files has; renaming a parameter changes no result."""
    import torch

    old, new = (
        {name for name, _ in numbers_of(torch.load(path, map_location="cpu", weights_only=True))}
        for path in (before, after)
    )
    words = [f"-{name}" for name in sorted(old - new)] + [f"+{name}" for name in sorted(new - old)]
    return f"names in the model: {' '.join(words)}" if words else ""


def runs_of(folder: Path) -> list[Path]:
    """The run folders that a named run left, one a seed."""
    return sorted(path.parent for path in folder.glob("*/metrics.json"))


def compare(name: str, before: Path, after: Path, tolerance: float) -> bool:
    """Compare what a named run left on either side, in a line and, for what is not equal, a line each; does it hold?"""
    pairs = [*zip(runs_of(before), runs_of(after), strict=False)]
    troubles = [f"it left no result, see {side / 'log.txt'}" for side in (before, after) if not runs_of(side)]
    if not troubles and len(runs_of(before)) != len(runs_of(after)):
        troubles.append(f"{len(runs_of(before))} seeds became {len(runs_of(after))}")
    records = [compared_records(old / "records.csv", new / "records.csv") for old, new in pairs]
    models = [compared_models(old / "model.ckpt", new / "model.ckpt") for old, new in pairs]
    troubles += [trouble for comparison in (*records, *models) for trouble in comparison.differences]
    largest = max([*records, *models], key=lambda comparison: comparison.largest, default=Comparison())
    holds = not troubles and all(comparison.holds(tolerance) for comparison in (*records, *models))
    equal = ["equal" if not troubles and all(c.holds(0) for c in part) else "DIFFER" for part in (records, models)]
    counts = [sum(comparison.numbers for comparison in part) for part in (records, models)]
    print(
        f"{name:<24} {counts[0]:>7} {equal[0]:<7} {counts[1]:>7} {equal[1]:<7} {largest.largest:<8.1e} {largest.where}"
    )
    for note in [
        *troubles[:5],
        *(word for old, new in pairs if (word := renamed(old / "model.ckpt", new / "model.ckpt"))),
    ]:
        print(f"    {note}")
    return holds


def train(tree: Path, words: Sequence[str], log: Path, kill_at: int = 0) -> int:
    """Type a command line of train.py in a child of this process, which has imported already; gives its exit code."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if kill_at:
        written: list[str] = []

        def watch(event: str, details: tuple[Any, ...]) -> None:
            if event == "os.rename" and Path(os.fspath(details[1])).match("step-*.ckpt"):
                written.append(event)
                if len(written) == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
    sys.argv = ["train.py", *words]
    code: Any = 0
    try:
        runpy.run_path(str(tree / "train.py"), run_name="__main__")
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)


def make(tree: Path, outputs: Path, steps: int) -> None:
    """Make every named run with the package of this tree, which PYTHONPATH has to name."""
    import metastruct

    if not Path(metastruct.__file__ or "").is_relative_to(tree):
        raise SystemExit(f"error: the package of {tree} must be imported, got {metastruct.__file__}")
    with suppress(ImportError):  # once for all runs; each imports by itself what this does not
        import metastruct.running.experiment
        import metastruct.running.training
    for name, settings in RUNS.items():
        folder = outputs / name
        folder.mkdir(parents=True)
        words = [*SMALL, f"trainer.steps={steps}", f"outputs={folder}", *settings]
        words = [word for word in words if word.partition("=")[0] not in UNREAD.get(name, ())]
        log = folder / "log.txt"
        if name == INTERRUPTED:
            code = train(tree, [*words, "trainer.checkpoint_seconds=0"], log, kill_at=CHECKPOINTS)
            if code != -signal.SIGKILL:
                print(f"    {name}: it was not killed, for it wrote no checkpoint {CHECKPOINTS}, see {log}")
                continue
        code = train(tree, words, log)
        if name == INTERRUPTED and "going on from" not in log.read_text():
            print(f"    {name}: it did not go on from its checkpoint, see {log}")
            for run in runs_of(folder):
                shutil.rmtree(run)
        if code:
            print(f"    {name}: train.py ended with {code}, see {log}")


def made(tree: Path, outputs: Path, steps: int) -> None:
    """Make every named run in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "HYDRA"))}
    environment |= {"PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), "--make", str(tree), str(outputs), "--steps", str(steps)]
    subprocess.run(command, cwd=tree, env=environment, check=True)


def of_commit(commit: str, steps: int) -> Path:
    """The runs of a commit: those that are kept, or new ones."""
    from metastruct.benchmark.revision import sources  # not above: `make` has the package of any revision

    definition = [SMALL, RUNS, steps, CHECKPOINTS, *(version(package) for package in ("torch", "numpy", "scipy"))]
    key = hashlib.sha256(json.dumps(definition).encode()).hexdigest()[:8]
    folder = KEPT / f"{commit[:12]}-{key}"
    if not folder.exists():
        with sources(commit) as tree:
            shutil.rmtree(unfinished := KEPT / f".{folder.name}", ignore_errors=True)
            made(tree, unfinished, steps)
        if not all(runs_of(unfinished / name) for name in RUNS):
            return unfinished
        unfinished.rename(folder)
    return folder


def main() -> int:
    """Make, compare, and say so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", nargs="?", default="HEAD", help="of git, to compare the working tree with")
    parser.add_argument("--tolerance", type=float, default=0.0, help="largest relative difference; 0: bit by bit")
    parser.add_argument("--steps", type=int, default=60, help="outer steps; over fewer of them round-off grows less")
    parser.add_argument("--make", nargs=2, type=Path, metavar=("TREE", "OUTPUTS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make(options.make[0], options.make[1], options.steps)
        return 0
    from metastruct.benchmark.revision import commit_of

    try:
        commit = commit_of(options.revision)
    except ValueError as error:
        parser.error(str(error))
    after = KEPT / "working_tree"
    shutil.rmtree(after, ignore_errors=True)
    print(f"before: {commit[:12]} ...", flush=True)
    before = of_commit(commit, options.steps)
    print("after: the working tree ...", flush=True)
    made(ROOT, after, options.steps)
    print(f"{'run':<24} {'records':>7} {'':<7} {'model':>7} {'':<7} largest relative difference")
    holds = [compare(name, before / name, after / name, options.tolerance) for name in RUNS]
    holds.append(compare("interrupted, unbroken", after / UNBROKEN, after / INTERRUPTED, options.tolerance))
    print(f"{sum(holds)} of {len(holds)} comparisons hold" + ("" if all(holds) else ": A RESULT CHANGED"))
    return 0 if all(holds) else 1


if __name__ == "__main__":
    raise SystemExit(main())
