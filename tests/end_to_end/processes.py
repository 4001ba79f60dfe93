"""Commands in processes of their own that begin at once: forks of a server that has imported what a run needs.

A command is the words after `python`, a script with its words or `-c` and code. It has its own folder, environment,
output and group of processes, as if a shell had started it; alone what a module reads when it is imported is the
server's, but for the rank that Lightning reads there.
"""

from __future__ import annotations

import os
import runpy
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

from lightning.fabric.utilities.rank_zero import _get_rank, rank_zero_only

from metastruct.running.ranks import forget_words
from metastruct.sweeps.launchers import gpu_pool

PATIENCE = 900.0  # seconds; a busy machine takes its time
SERVER = get_context("forkserver")
SERVER.set_forkserver_preload([gpu_pool.WORKER, gpu_pool.__name__, "metastruct.paper.report"])


@dataclass
class Command:
    """A command that has begun, and the folder with its output."""

    words: list[str]
    process: BaseProcess
    said: Path

    def result(self, timeout: float = PATIENCE) -> CompletedProcess[str]:
        """How it ended, when it has; one that takes longer is killed.

        Raises:
            TimeoutExpired: it was.
        """
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.end(signal.SIGKILL)
            raise TimeoutExpired(self.words, timeout)
        printed, complaint = ((self.said / name).read_text() for name in ("out", "err"))
        shutil.rmtree(self.said)
        return CompletedProcess(self.words, self.process.exitcode, printed, complaint)

    def end(self, how: int) -> None:
        """Send a signal to the command and whatever it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid or 0, how)
        self.process.join()


def begin(words: Sequence[str | Path], cwd: Path, environment: Mapping[str, str]) -> Command:
    """Start a command."""
    said = Path(tempfile.mkdtemp(prefix="said-"))
    listed = [*map(str, words)]
    process = SERVER.Process(target=become, args=(listed, cwd, dict(environment), said))
    process.start()
    return Command(listed, process, said)


def become(words: list[str], cwd: Path, environment: Mapping[str, str], said: Path) -> None:
    """The command, in its process."""
    os.setpgid(0, 0)
    for descriptor, name in ((1, "out"), (2, "err")):
        with open(said / name, "wb") as file:
            os.dup2(file.fileno(), descriptor)
    sys.stdin = open(os.devnull)  # noqa: SIM115 (it lasts as long as the process)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    os.chdir(cwd)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    forget_words()
    rank_zero_only.rank = _get_rank() or 0  # type: ignore[attr-defined] # as when it is imported
    gpu_pool.get_context = lambda _: get_context("fork")  # type: ignore[assignment] # of what is imported already
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(words[1], {"__name__": "__main__"})
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
