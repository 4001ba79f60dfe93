"""The command line: what train.py does around Hydra.

A user's mistake is answered in one line, without a traceback, before anything heavy is imported or written.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from metastruct.config.added import CLASSED, check_added, check_class
from metastruct.config.facts import CONF, options
from metastruct.config.folders import ROOT, search_path, without_folders
from metastruct.config.hidden import hidden
from metastruct.config.mistakes import closest
from metastruct.config.schema import ConfigError, drop_unused_rank, register, settle
from metastruct.running.explanations import check_flags, explained
from metastruct.runs.refusals import in_words

SMALLER = "end other programs, or lower learner.point_batch, net.width, replicas or evaluation.grid"


class JobError(RuntimeError):
    """What a launcher of Hydra carries home from jobs that failed in other processes, perhaps on other machines."""


@dataclass
class Session:
    """One command line: what its jobs have said and how they ended.

    Attributes:
        failures: the words of the jobs that failed in this process.
        notes: what was told once and need not be told again.
        home: the process that counts the failures.
    """

    failures: list[str] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)
    home: int = field(default_factory=os.getpid)

    def job(self, cfg: DictConfig) -> None:
        """One job of Hydra: a run whose failure is told in one line and stops no other job of a sweep."""
        sweep = HydraConfig.get().mode == RunMode.MULTIRUN
        words = list(HydraConfig.get().overrides.task)
        overrides = " ".join(words)
        if sweep:
            print(f"job {HydraConfig.get().job.num}: {overrides}", flush=True)
        try:
            settle(cfg, words, HydraConfig.get().runtime.choices)
            dropped = drop_unused_rank(cfg) if sweep else None
            if dropped:
                self.say([dropped])
                words = [word for word in words if not word.startswith("rank=")]
            from metastruct.running.experiment import run
            from metastruct.running.validation import validate
            from metastruct.running.validation.idle import check_idle, without_idle

            validate(cfg)
            if sweep:
                cfg, _, notes = without_idle(cfg, words)
                self.say(notes)
            else:
                check_idle(cfg, words)
            run(cfg)
        except Exception as error:
            if (why := hidden(error)) is not None:
                error = ConfigError(why)
            if not expected(error):
                traceback.print_exc()
            print(f"error: {one_line(error)}", file=sys.stderr, flush=True)
            if os.getpid() != self.home:
                raise JobError(f"{overrides}: {one_line(error)}") from None
            self.failures.append(overrides)
            if not sweep:
                raise SystemExit(2 if isinstance(error, ConfigError) else 1) from None

    def say(self, notes: Sequence[str]) -> None:
        """Each note once."""
        for note in notes:
            if note not in self.notes:
                print(note, flush=True)
        self.notes.update(notes)

    def run(self, main: Callable[[], None]) -> None:
        """Run a Hydra main; exit with 0, 1 after a failure, 2 for a senseless configuration, 130 if interrupted."""
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, and the message is ours
        try:
            main()
        except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
            print(f"error: {explained(error)}", file=sys.stderr)
            raise SystemExit(2) from None
        except OSError as error:  # outside of any job, of the folders of Hydra for example
            print(f"error: {in_words(error)}", file=sys.stderr)
            raise SystemExit(1) from None
        except JobError as error:
            print(f"error: {error}; the same command tries it again", file=sys.stderr)
            raise SystemExit(1) from None
        except RuntimeError as error:  # jobs tell their own: it is of a launcher or sweeper
            print(f"error: {' '.join(str(error).split())}; leave hydra/launcher out, or use another", file=sys.stderr)
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
            raise SystemExit(130) from None
        if self.failures:
            print(f"error: {failed(self.failures)}; the same command tries them again", file=sys.stderr)
            raise SystemExit(1)


def train(words: Sequence[str]) -> None:
    """Train as Hydra's words say, and exit as `Session.run`."""
    register()
    session = Session()
    try:
        words = [*without_folders(words), *search_path()]
        words.sort(key=lambda word: word not in ("-m", "--multirun"))  # Hydra wants it first
        check_added()
        check_flags(words)
    except (ValueError, HydraException) as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        raise SystemExit(2) from None

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
    def job(cfg: DictConfig) -> None:  # not of the module, so that launchers carry the session along
        session.job(cfg)

    sys.argv[1:] = words
    session.run(job)


def pieces_named(words: Sequence[str]) -> tuple[list[tuple[str, str]], Path]:
    """Group and name of pieces, from words such as net=mlp, and the folder of the tests of their contracts.

    Raises:
        ValueError: a word names no piece, or one whose class is none of its group.
    """
    pieces: list[tuple[str, str]] = []
    for word in words:
        group, equals, name = word.partition("=")
        if group not in CLASSED:
            raise ValueError(f"{word} must be GROUP=NAME; {closest(group, CLASSED)}")
        if not equals or name not in options(group):
            raise ValueError(f"{word} must be {group}=NAME; {closest(name, options(group))}")
        pieces.append((group, name))
    check_added()
    for piece in pieces:
        check_class(*piece)
    installed = ROOT / "contracts"
    return pieces, installed if installed.is_dir() else ROOT.parents[1] / "tests"


def failed(jobs: Sequence[str]) -> str:
    """Which jobs failed, in words."""
    return f"{len(jobs)} jobs failed: {'; '.join(jobs)}"


def expected(error: Exception) -> bool:
    """Is this an error that a user can do something about, so that one line is enough?"""
    return isinstance(error, ConfigError | OSError) or type(error).__name__ == "Diverged" or is_of_memory(error)


def is_of_memory(error: Exception) -> bool:
    """Did the machine, or its GPU, have no more memory?"""
    of_torch = isinstance(error, RuntimeError) and re.search(r"out of memory|can't allocate memory", str(error))
    return isinstance(error, MemoryError) or bool(of_torch)


def one_line(error: Exception) -> str:
    """The message of an error as one line."""
    if is_of_memory(error):
        return f"there is not enough memory: {' '.join(str(error).split())[:80] or 'no more is free'}; {SMALLER}"
    if isinstance(error, OSError):
        return in_words(error)
    text = str(error) if expected(error) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())
