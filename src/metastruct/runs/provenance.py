"""What produced a result: versions, commit, machine."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from metastruct.runs.files import write_atomically

ROOT = Path(__file__).resolve().parent
CHANGES = ("status", "--porcelain", "--untracked-files=no", "--", ":(top)", ":(top,exclude)outputs")
PACKAGES = ("metastruct", "torch", "lightning", "hydra-core", "omegaconf", "wandb", "numpy", "scipy")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers can depend on."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


@dataclass(frozen=True)
class Provenance:
    """The code and the machine that a result comes from.

    Taken when work begins, best where the code is imported: a commit that follows did not make the result.
    """

    commit: str
    machine: dict[str, str | int]
    versions: dict[str, str]

    @classmethod
    def now(cls) -> Provenance:
        """That of this process."""
        return cls(git_commit(), machine(), versions())


def git_commit(root: Path = ROOT) -> str:
    """The commit of the source tree, with "-dirty" where tracked files differ from it; "unknown" outside a checkout.

    A package that is installed inside of somebody else's checkout is of none of its commits.
    Results of record may differ: the command that writes them is no change of the code.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if not git("ls-files", "."):
            return "unknown"
        return git("rev-parse", "HEAD") + ("-dirty" if git(*CHANGES) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def here() -> dict[str, Any]:
    """What writes a result now: commit, date, machine and versions."""
    return {
        "commit": git_commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": named(machine()),
        "versions": versions(),
    }


def sign(folder: Path, words: Sequence[str]) -> None:
    """Write provenance.json beside the results of a script: the command line that made them, and `here`.

    Of a path of this machine only the last name is kept, for others have no such folder.
    """
    portable = [Path(word).name if Path(word).is_absolute() else word for word in words]
    record = {"command": shlex.join(["python", *portable])} | here()
    write_atomically(folder / "provenance.json", json.dumps(record, indent=2) + "\n")


def named(machine: Mapping[str, Any]) -> str:
    """A machine in a few words."""
    return f"{machine['cores']} cores, {machine['platform']}"


def machine() -> dict[str, str | int]:
    """What this machine is, as far as seconds depend on it."""
    return {
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    }
