"""What whole processes take: a run from the shell, a job of a sweep."""

from __future__ import annotations

import csv
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from metastruct.benchmark.timing import OUTPUTS, WORDS, learner
from metastruct.config.facts import CONF

TRAIN = [sys.executable, str(CONF.parent / "train.py")]


def whole_process(*overrides: str) -> float:
    """Processor seconds of one train.py from the shell, data cached, everything else new."""
    learner(*(word for word in overrides if word.startswith("system=")))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(OUTPUTS / "data", Path(folder) / "data")
        command, before = [*TRAIN, *overrides, f"outputs={folder}"], _of_children()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
        return _of_children() - before


def _of_children() -> float:
    """Processor seconds of all processes that this one started and saw end."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report_from_records() -> float:
    """Seconds of scripts/report.py on a copy of the results of record."""
    with tempfile.TemporaryDirectory() as folder:
        records = shutil.copytree(OUTPUTS / "reference", Path(folder) / "reference")
        clock = time.perf_counter()
        command = [sys.executable, str(CONF.parent / "scripts" / "report.py"), str(records)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - clock


def main_table() -> float:
    """Minutes of the main table with all seeds of a setting as replicas, from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter()
        words = ("table=main", "replicas=3", f"outputs={folder}")
        command = [sys.executable, str(CONF.parent / "scripts" / "reproduce.py"), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return (time.perf_counter() - clock) / 60


def main_table_on_record(cores: int) -> float:
    """Minutes that the runs of the main table took, as they are on record, shared out among so many cores."""
    with open(OUTPUTS / "reference" / "main" / "runs.csv", newline="") as file:
        return sum(float(row["total_seconds"]) for row in csv.DictReader(file)) / 60 / cores


def start_up() -> float:
    """Time that a job of a sweep spends outside of its run, in per cent of the run; the server starts once a sweep."""
    from metastruct.sweeps.launchers.sequential import Sequential
    from metastruct.sweeps.plan import Plan, carry_out
    from metastruct.sweeps.table import planned

    learner(*WORDS["no_rank"].split())  # simulates the data
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(OUTPUTS / "data", Path(folder) / "data")
        words = (*WORDS["short"].split(), "trainer.steps=600")
        plan = Plan.of(planned("benchmark", words, range(6), Path(folder)))
        outcomes = carry_out(plan, Sequential(), False, lambda _: None)
        metrics = [json.loads((outcome.job.folder / "metrics.json").read_text()) for outcome in outcomes]
    shares = [
        outcome.seconds / summary["seconds"]["total"] - 1 for outcome, summary in zip(outcomes, metrics, strict=True)
    ]
    return 100 * statistics.median(shares[1:])
