"""The process of one job. Importing this module imports all that a run needs, so that a fork of it starts at once."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Mapping
from multiprocessing import parent_process
from threading import Thread

import matplotlib.pyplot  # noqa: F401
from lightning import Trainer  # noqa: F401

from metastruct.config.facts import options
from metastruct.config.folders import VARIABLE
from metastruct.config.pieces import class_of, target_of
from metastruct.config.schema import COMPONENTS, composed
from metastruct.evaluation import protocol, summary  # noqa: F401
from metastruct.evaluation.figures import run as figures  # noqa: F401
from metastruct.running import (
    experiment,
    training,  # noqa: F401
)
from metastruct.running import result as console  # noqa: F401
from metastruct.running.command_line import expected, one_line
from metastruct.running.output import patient
from metastruct.runs.files import claimed, is_locked
from metastruct.runs.provenance import Provenance
from metastruct.sweeps.launchers.launcher import ELSEWHERE, STOPPED, Job

for group in (*COMPONENTS, "metric"):
    for name in options(group):
        class_of(target_of(group, name))  # imports it
IMPORTED = Provenance.now()  # of the code that was imported just now; every fork has it from here


def work(job: Job, environment: Mapping[str, str]) -> None:
    """Run a job in this process, which ends with it: what it prints goes to its log, its error to a file.

    Exit status: 0 finished, 1 failed, ELSEWHERE another command did it or does it, STOPPED asked to stop.

    Args:
        environment: variables to set first, such as the GPU that the job may see.
    """
    Thread(target=end_with_the_sweep, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what Lightning makes of it would be taken for a result
    os.environ.update({**environment, VARIABLE: job.conf})
    with claimed(job.claim) as exclusive:
        alone = not (any(map(is_locked, job.folders)) or is_locked(job.claim))  # by a train.py without a sweep
        forced = "force=true" in [word.lower() for word in job.overrides]
        finished = not forced and job.finished() is not None  # since the sweep was planned
        if finished or not (exclusive and alone):
            raise SystemExit(ELSEWHERE)
        job.folder.mkdir(parents=True, exist_ok=True)
        with open(job.log, "w", buffering=1) as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        for stream in (sys.stdout, sys.stderr):  # a file, whatever the letters of the terminal are
            stream.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)  # type: ignore[union-attr]
        try:
            with patient():
                error = attempt(job)
        except KeyboardInterrupt:  # what training makes of a signal to end
            raise SystemExit(STOPPED) from None
    raise SystemExit(0 if error is None else 1)


def end_with_the_sweep() -> None:
    """Stop this process when the one that launched it is gone, as after `kill -9`."""
    launching = parent_process()
    if launching is not None:
        launching.join()
        os.kill(os.getpid(), signal.SIGTERM)


def attempt(job: Job) -> str | None:
    """Run a job; returns its error in one line, and keeps it in the run folder, or None."""
    job.forget_errors()
    try:
        experiment.run(composed(*job.overrides), IMPORTED)
    except Exception as error:
        if not expected(error):
            traceback.print_exc()
        job.fail(one_line(error))
        return one_line(error)
    return None
