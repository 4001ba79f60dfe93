"""What the adaptation to one new pendulum costs, for each method of the main table: python scripts/adaptation_cost.py

Loads the finished run of every seed, adapts to one test task as the run did, and writes records and table to
outputs/reference/adaptation_cost/. Rows of this commit and machine stand, others are measured again.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from metastruct.config.schema import register
from metastruct.running.assembly import build_source, component
from metastruct.running.run import Run
from metastruct.running.trained import Trained
from metastruct.runs.arguments import Flags, placed
from metastruct.runs.files import read_checked, write_atomically
from metastruct.runs.folder import RunFolder
from metastruct.runs.lines import write_lines
from metastruct.runs.provenance import git_commit, machine, named, sign
from metastruct.runs.tables import as_csv, read_records

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "outputs" / "reference"
REPEATS, PROFILED_STEPS = 5, 10  # later steps allocate what the first ones did
TITLE = "What the adaptation to one new task costs"
NOTE = (
    "One new pendulum from 200 observations, each method adapted as in the main table: numbers that are adapted, "
    f"seconds (of one thread's processor on a CPU; of each seed the median of {REPEATS} times, here the median, the "
    "least and the most over seeds), and the most memory that the adaptation itself holds, over its first "
    f"{PROFILED_STEPS} steps."
)


def call_of(folder: RunFolder, outputs: Path, device: str) -> tuple[int, Callable[[], Any], Callable[[], Any]]:
    """Adapted numbers, the whole adaptation to one new task, and the first steps of it."""
    content = read_checked(folder.model)
    if content is None:
        raise FileNotFoundError(
            f"{folder.path} must hold the model of a finished run; python scripts/reproduce.py table=main makes it"
        )
    run = Run.read(folder)
    config = replace(run.config, outputs=str(outputs))
    trained = Trained.load(config, content, run.training.name)
    objective = component(config.objective)
    support = build_source(config, print).support(config.shots, config.seed, objective.request)
    observed = support.of(slice(1)).to(device)
    start, prior = trained.start(1, config.evaluation.start).to(device), trained.prior().to(device)
    model = trained.model.to(device)
    few = {"steps": min(config.adaptation["steps"], PROFILED_STEPS)} if "steps" in config.adaptation else {}
    whole, first = component(config.adaptation), component(config.adaptation, **few)
    return (
        start.shape[-1],
        lambda: whole.fit(model, objective, observed, start, prior),
        lambda: first.fit(model, objective, observed, start, prior),
    )


def seconds(call: Callable[[], Any], device: str) -> float:
    """Median time of a call, after one to warm up."""
    import torch

    clock = time.perf_counter if device == "cuda" else time.process_time
    taken = []
    for _ in range(1 + REPEATS):
        began = clock()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(clock() - began)
    return statistics.median(taken[1:])


def peak_bytes(call: Callable[[], Any], device: str) -> int:
    """The most memory that a call holds at once, beyond what there was before."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        call()
    assert profiled.profiler is not None
    assert profiled.profiler.kineto_results is not None
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def main() -> None:
    """Measure every method that is not there yet, writing after each."""
    parser = Flags(__doc__)
    parser.add_argument("--outputs", type=placed(), default=ROOT / "outputs", help="where the run folders are")
    parser.add_argument("--runs", type=Path, default=REFERENCE / "main" / "runs.csv", help="the table's runs")
    parser.add_argument("--folder", type=placed(), default=REFERENCE / "adaptation_cost", help="where to write")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler announces each start and stop otherwise
    if not options.runs.exists():
        parser.error(f"{options.runs} is missing; python scripts/reproduce.py table=main makes it")
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda needs a CUDA device, got none; use --device cpu")
    register()
    torch.set_num_threads(1)
    runs = [row for row in read_records([options.runs]) if row["system"] == "pendulum"]
    now = {"commit": git_commit(), "machine": machine_name(options.device)}
    path = options.folder / "records.csv"
    known: dict[str, dict[str, Any]] = {}  # by run
    if path.exists():
        of_now = {run["run"] for run in runs}
        known = {row["run"]: row for row in read_records([path]) if row.get("run") in of_now}
    for number, run in enumerate(runs, 1):
        if all(known.get(run["run"], {}).get(key) == value for key, value in now.items()):
            continue
        print(f"{number} of {len(runs)}: {run['run']}", flush=True)
        try:
            numbers, whole, first = call_of(RunFolder(options.outputs / run["run"]), options.outputs, options.device)
        except FileNotFoundError as error:
            parser.error(str(error))
        known[run["run"]] = {
            **{name: run[name] for name in ("run", "method", "seed")},
            "adapted_numbers": numbers,
            "seconds": round(seconds(whole, options.device), 4),
            "peak_bytes": peak_bytes(first, options.device),
            **now,
        }
        write_atomically(path, as_csv([*known.values()]))
    by_method: dict[str, list[dict[str, Any]]] = {}
    for row in known.values():
        by_method.setdefault(row["method"], []).append(row)
    write_lines(options.folder, [shown(method, rows) for method, rows in by_method.items()], TITLE, NOTE)
    sign(options.folder, ["scripts/adaptation_cost.py", *sys.argv[1:]])
    print((options.folder / "table.md").read_text())


def machine_name(device: str) -> str:
    """As runs.csv has it, or the name of the GPU."""
    if device == "cuda":
        import torch

        return str(torch.cuda.get_device_name())
    return named(machine())


def shown(method: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A line of the table: medians over seeds."""
    taken = [float(row["seconds"]) for row in rows]
    return {
        "method": method,
        "adapted numbers": f"{int(rows[0]['adapted_numbers']):,}",
        "seconds": statistics.median(taken),
        "least": min(taken),
        "most": max(taken),
        "MiB": statistics.median(float(row["peak_bytes"]) for row in rows) / 2**20,
        "seeds": len(rows),
    }


if __name__ == "__main__":
    main()
