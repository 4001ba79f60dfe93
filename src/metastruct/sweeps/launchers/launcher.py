"""What every launcher shares: jobs, units of jobs that one slot runs one after another, and how a job ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metastruct.config.folders import added
from metastruct.runs.files import is_claimed, is_locked, write_atomically
from metastruct.runs.folder import RunFolder

ELSEWHERE = 75  # exit status of a job that another command did meanwhile, or works on
STOPPED = 130  # exit status of a job that was asked to stop


@dataclass(frozen=True)
class Job:
    """One call of train.py: a run, or with `replicas` the runs of several seeds."""

    overrides: tuple[str, ...]  # the words of its command line
    folder: Path  # the run folder, of the first seed
    training: Path | None = None  # folder of its training, which other runs may share
    siblings: tuple[Path, ...] = ()  # the run folders of the other seeds
    conf: str = field(default_factory=added)  # the folders of yamls that its words need, wherever it runs

    @property
    def claim(self) -> Path:
        """The folder that a job must have for itself, so that no two commands do the same."""
        return self.training or self.folder

    @property
    def run(self) -> RunFolder:
        """The folder of the first seed."""
        return RunFolder(self.folder)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Those of all seeds."""
        return self.folder, *self.siblings

    def finished(self) -> dict[str, Any] | None:
        """The metrics of the first run once all of its runs are finished, else None."""
        results = [RunFolder(folder).finished() for folder in self.folders]
        return None if None in results else results[0]

    @property
    def log(self) -> Path:
        """What the job printed, the last time that it ran."""
        return self.folder / "log.txt"

    @property
    def error(self) -> Path:
        """Why the job failed, in one line; there only if it failed the last time that it ran."""
        return next((path for path in self._errors if path.exists()), self._errors[0])

    @property
    def told(self) -> str:
        """Why it failed, whatever stands in the file."""
        return " ".join(self.error.read_text(errors="replace").split())[:1_000]

    @property
    def _errors(self) -> list[Path]:
        return [folder / "error.txt" for folder in self.folders]

    def forget_errors(self) -> None:
        """Before it runs again."""
        for path in self._errors:
            path.unlink(missing_ok=True)

    def fail(self, why: str) -> None:
        """Leave the error in the folder of every run that it did not finish."""
        for folder, path in zip(self.folders, self._errors, strict=True):
            if RunFolder(folder).finished() is None:
                write_atomically(path, why + "\n")

    @property
    def held(self) -> bool:
        """Does another process work on it, or on its training?"""
        return is_claimed(self.claim) or is_locked(self.claim) or any(map(is_locked, self.folders))


Unit = Sequence[Job]  # jobs that share a training, so that none waits for another's


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    job: Job
    error: str | None  # in one line; None: it finished
    seconds: float  # in its slot, start-up included
    elsewhere: bool = False  # another command did it meanwhile, or works on it or on its training


Report = Callable[[Outcome], None]


def at_least(least: int, whole: bool = True, **settings: Any) -> None:
    """Refuse settings of a launcher that are no numbers, whole ones or any, or smaller; null stands for a default.

    Raises:
        ValueError: names the setting.
    """
    for name, value in settings.items():
        number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if value is not None and not (number and value >= least):
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"{name} must be {kind} of at least {least}, got {value!r}")


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
