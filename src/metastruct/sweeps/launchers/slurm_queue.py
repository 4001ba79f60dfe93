"""What a SLURM cluster has of our jobs: their numbers, whether they are still queued, and how they end.

Results are looked for on disk; squeue says only whether a job is still there, and does not always answer.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from metastruct.sweeps.launchers.launcher import Job, Outcome, Report

PATIENCE = 3  # looks at a job that left the queue before it is given up: shared folders show files late
SPEAK_EVERY = 30.0  # seconds


def follow(left: dict[Job, str], report: Report, folder: Path) -> None:
    """Report each job when it has a result or an error, or when it left the queue without either.

    One that left the queue because another command works on it is reported as taken.
    """
    began = spoken = time.monotonic()
    missed = dict.fromkeys(left, 0)
    pause = 1.0
    while left:
        active = queue()
        for job, number in list(left.items()):
            metrics = job.finished()
            missed[job] = 0 if active is None or number in active else missed[job] + 1
            if metrics is not None:
                report(Outcome(job, None, metrics["seconds"]["total"]))
            elif job.error.exists():
                report(Outcome(job, job.told, time.monotonic() - began))
            elif missed[job] >= PATIENCE and job.held:
                report(Outcome(job, None, 0.0, elsewhere=True))
            elif missed[job] >= PATIENCE:
                report(Outcome(job, lost(job, number, folder), time.monotonic() - began))
            else:
                continue
            del left[job]
        if left and active is not None and time.monotonic() - spoken > SPEAK_EVERY:
            spoken = time.monotonic()
            running = sum(active.get(number) == "RUNNING" for number in left.values())
            print(f"{running} runs in elements that run, {len(left) - running} wait", flush=True)
        if left:
            time.sleep(pause)
            pause = min(1.2 * pause, 10.0)


def queue() -> dict[str, str] | None:
    """The user's jobs with their states; None where squeue does not answer, as now and then on a busy cluster."""
    command = ["squeue", "--me", "--noheader", "--array", "--format", "%i %T"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(line.split() for line in answer.splitlines())


def lost(job: Job, number: str, folder: Path) -> str:
    """Why a job left the queue without a result, in one line."""
    log = folder / number / f"{number}_0_log.err"
    complaints = (
        [line for line in log.read_text().splitlines() if "not requeued because" in line] if log.exists() else []
    )
    why = complaints[-1].rpartition("not requeued because: ")[2].rstrip(".") if complaints else "no result"
    return f"job {number} left the queue: {why}; see {job.log} and {log.parent}"


def ticket(job: Job) -> Path:
    """Where the number of a job in the queue is kept."""
    return job.folder / "queued.txt"


def number_of(job: Job) -> str | None:
    """Under which number the cluster has a job, if it has one."""
    try:
        return ticket(job).read_text().strip()
    except OSError:
        return None
