"""The process of one job. Importing this module imports all that a run needs, so that a fork of it starts at once."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Mapping

import matplotlib.pyplot  # noqa: F401
from lightning import Trainer  # noqa: F401

from metastruct import experiment, training  # noqa: F401
from metastruct.command import expected, one_line
from metastruct.config import composed
from metastruct.evaluation import protocol, summary  # noqa: F401
from metastruct.launchers.launcher import Job
from metastruct.learners import auto_decoding, maml, pretrained, reptile, scratch  # noqa: F401
from metastruct.reports import console, figures  # noqa: F401
from metastruct.runs.files import write_atomically


def work(job: Job, environment: Mapping[str, str]) -> None:
    """Run a job in this process, which ends with it: what it prints goes to its log, its error to a file.

    Args:
        environment: variables to set first, such as the GPU that the job may see.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what Lightning makes of it would be taken for a result
    os.environ.update(environment)
    job.folder.mkdir(parents=True, exist_ok=True)
    with open(job.log, "w", buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    error = attempt(job)
    if error is not None:
        raise SystemExit(1)


def attempt(job: Job) -> str | None:
    """Run a job; returns its error in one line, and keeps it in the run folder, or None."""
    job.error.unlink(missing_ok=True)
    try:
        experiment.run(composed(*job.overrides))
    except Exception as error:
        if not expected(error):
            traceback.print_exc()
        write_atomically(job.error, one_line(error) + "\n")
        return one_line(error)
    return None
