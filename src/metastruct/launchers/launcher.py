"""What every launcher shares: jobs, units of jobs that one slot runs one after another, and how a job ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from metastruct.runs.files import is_claimed, is_locked
from metastruct.runs.folder import RunFolder

TAKEN = 75  # exit status of a job that another command did meanwhile, or works on
STOPPED = 130  # exit status of a job that was asked to stop


@dataclass(frozen=True)
class Job:
    """One run of train.py."""

    overrides: tuple[str, ...]  # the words of its command line
    folder: Path  # the run folder
    training: Path | None = None  # folder of its training, which other runs may share

    @property
    def claim(self) -> Path:
        """The folder that a job must have for itself, so that no two commands do the same."""
        return self.training or self.folder

    @property
    def run(self) -> RunFolder:
        return RunFolder(self.folder)

    @property
    def log(self) -> Path:
        """What the job printed, the last time that it ran."""
        return self.folder / "log.txt"

    @property
    def error(self) -> Path:
        """Why the job failed, in one line; there only if it failed the last time that it ran."""
        return self.folder / "error.txt"

    @property
    def held(self) -> bool:
        """Does another process work on it, or on its training?"""
        return is_claimed(self.claim) or is_locked(self.claim) or is_locked(self.folder)


Unit = Sequence[Job]  # jobs that share a training, so that none waits for another's


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    job: Job
    error: str | None  # in one line; None: it finished
    seconds: float  # in its slot, start-up included
    taken: bool = False  # another command did it meanwhile, or works on it or on its training


Report = Callable[[Outcome], None]


class Launcher(ABC):
    """Runs the jobs of a sweep somewhere. A job that fails is reported and stops no other.

    No slot waits for another command: a job in its hands is reported as taken, at once.
    """

    slots: int  # units that run at a time

    @abstractmethod
    def launch(self, units: Sequence[Unit], report: Report) -> None:
        """Run every job and report each as it ends; returns when all have ended.

        Raises:
            KeyboardInterrupt: the user's; the jobs that ran were stopped first.
        """
