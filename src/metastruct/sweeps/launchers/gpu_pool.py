"""A pool of processes on one machine: every job a slot, with a GPU or a share of one, or a core.

A core, for nets this small are slower on several; `trainer.threads=4` gives a run more of them.

The processes are forked from a server that has imported everything and never touches a GPU: a job begins in some
hundredths of a second, with a memory that no other job has seen. A process that dies fails its own job only.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.util import get_temp_dir
from pathlib import Path

from metastruct.sweeps.launchers.launcher import ELSEWHERE, STOPPED, Job, Launcher, Outcome, Report, Unit, at_least

WORKER = "metastruct.sweeps.launchers.worker"
LETTERS, SHORT = 70, ("/tmp", "/var/tmp", "/dev/shm")  # of 107, for the system bounds the paths of sockets
PATIENCE = 10.0  # seconds that a job has to stop when it is asked to
ABANDONED = 255  # what multiprocessing says of a process whose server is gone
NO_FAULT = (STOPPED, ABANDONED, -signal.SIGINT, -signal.SIGTERM)  # of the job, which goes on the next time


class GpuPool(Launcher):
    """Several jobs at a time on this machine.

    Args:
        gpus: how many to use; null: all that the driver knows, and the cores where there is none.
        slots_per_gpu: jobs that share a GPU; small nets leave it idle otherwise.
        slots: jobs at a time without a GPU; null: one a core.
    """

    def __init__(self, gpus: int | None = None, slots_per_gpu: int = 4, slots: int | None = None):
        at_least(0, gpus=gpus)
        at_least(1, slots_per_gpu=slots_per_gpu, slots=slots)
        visible = visible_gpus()
        if gpus is None:
            self.gpus = visible
        elif gpus > len(visible) and "CUDA_VISIBLE_DEVICES" in os.environ:
            raise ValueError(f"gpus must be at most {len(visible)}, which CUDA_VISIBLE_DEVICES leaves, got {gpus}")
        else:
            self.gpus = visible[:gpus] if gpus <= len(visible) else [str(i) for i in range(gpus)]
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.environments = [{"CUDA_VISIBLE_DEVICES": gpu} for _ in range(slots_per_gpu) for gpu in self.gpus]
        if not self.gpus:
            self.environments = [{"CUDA_VISIBLE_DEVICES": ""}] * (slots or cores)
        self.slots = len(self.environments)

    def launch(self, units: Sequence[Unit], report: Report) -> None:
        place_of_sockets()
        context = get_context("forkserver")
        context.set_forkserver_preload([WORKER, __name__])
        waiting = deque(deque(unit) for unit in units)
        free = deque(range(self.slots))  # one slot of every GPU first
        running: dict[int, tuple[int, BaseProcess, Job, deque[Job], float]] = {}

        def start(slot: int, unit: deque[Job]) -> None:
            job = unit.popleft()
            process = context.Process(target=work, args=(job, self.environments[slot]), name=job.folder.name)
            try:
                with deaf():
                    process.start()
            except (EOFError, ConnectionError):  # of the process that forks, which has said why
                raise ChildProcessError(errno.ECHILD, "runs ended before they began, for the reason above") from None
            running[process.sentinel] = slot, process, job, unit, time.perf_counter()

        try:
            while waiting or running:
                while waiting and free:
                    start(free.popleft(), waiting.popleft())
                for sentinel in wait(list(running)):
                    slot, process, job, unit, began = running.pop(sentinel)  # type: ignore[arg-type]
                    process.join()
                    outcome = ended(job, process.exitcode, time.perf_counter() - began)
                    report(outcome)
                    if outcome.elsewhere:
                        while unit:
                            report(Outcome(unit.popleft(), None, 0.0, elsewhere=True))
                    if unit:
                        start(slot, unit)
                    else:
                        free.append(slot)
        finally:
            for _, process, *_ in running.values():
                process.terminate()
            for _, process, *_ in running.values():
                process.join(PATIENCE)
                process.kill()


def place_of_sockets() -> None:
    """Choose the folder through whose sockets processes talk: the temporary one, or another where its name is too long.

    Raises:
        ValueError: no folder will do.
    """
    usual = tempfile.gettempdir()
    short = [place for place in (usual, *SHORT) if len(os.fsencode(place)) <= LETTERS and os.access(place, os.W_OK)]
    if not short:
        raise ValueError(f"TMPDIR must be a folder whose path has at most {LETTERS} letters, got {usual}")
    tempfile.tempdir = short[0]
    try:
        get_temp_dir()  # makes it, once for this process
    finally:
        tempfile.tempdir = usual


@contextmanager
def deaf() -> Iterator[None]:
    """What starts in here, the server too, never hears a batch system, which signals every process at once."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1, signal.SIGUSR2))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def work(job: Job, environment: dict[str, str]) -> None:
    """The target of a process; the heavy imports are done in the server already."""
    from metastruct.sweeps.launchers import worker

    worker.work(job, environment)


def ended(job: Job, status: int | None, seconds: float) -> Outcome:
    """How a job ended, from the exit status of its process; one that died leaves its error too."""
    if status in (0, ELSEWHERE):
        return Outcome(job, None, seconds, elsewhere=status == ELSEWHERE)
    if status == 1 and job.error.exists():
        return Outcome(job, job.told, seconds)
    if status in NO_FAULT:
        return Outcome(job, "stopped from outside", seconds)
    how = signal.Signals(-status).name if status is not None and status < 0 else f"status {status}"
    error = f"its process ended with {how}, see {job.log}"
    job.fail(error)
    return Outcome(job, error, seconds)


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, found without waking them; a name that is none ends the list."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [*takewhile(re.compile(r"\d+|(GPU|MIG)-\S+").fullmatch, map(str.strip, named.split(",")))]
    return [str(i) for i, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
