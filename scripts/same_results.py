"""Show that a change of the code changes no result: python scripts/same_results.py [REVISION] [--tolerance 1e-6]

Makes the same short runs with the code of REVISION (HEAD unless given) and with that of the working tree, each through
its own train.py, conf/ and simulated data, and compares records and models bit by bit: all of the records but the key
of the run, all numbers of the model files but the seconds. A run that was killed and resumed must also end like one
that was not. Ends with 1 where anything differs. What a commit leaves is kept in outputs/same_results/, so that only
the working tree runs again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from comparison import compare, runs_of

from metastruct.runs.arguments import Flags, counted, numbered

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
    "camel": ("optimizer=soap", "modulation=camel", "data.noise=0.05"),
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
    parser = Flags(__doc__)
    parser.add_argument("revision", nargs="?", default="HEAD", help="of git, to compare the working tree with")
    parser.add_argument("--tolerance", type=numbered(), default=0.0, help="largest relative difference; 0: bit by bit")
    parser.add_argument("--steps", type=counted(), default=60, help="outer steps; over fewer round-off grows less")
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
