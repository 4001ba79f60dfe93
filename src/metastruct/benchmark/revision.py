"""The code of another revision of git, to compare the working tree with."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metastruct.config.facts import CONF

ROOT = CONF.parent


def commit_of(revision: str) -> str:
    """The commit that a hash, branch or tag names.

    Raises:
        ValueError: there is no such commit here.
    """
    words = ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]
    commit = subprocess.run(words, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    if not commit:
        raise ValueError(f"REVISION must be a commit, branch or tag of git, got {revision!r}")
    return commit


@contextmanager
def sources(commit: str) -> Iterator[Path]:
    """A folder with src/, conf/ and train.py of a commit, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix=f"metastruct-{commit[:12]}-") as place:
        tree = Path(place).resolve() / "tree"
        tree.mkdir()
        words = ["git", "archive", commit, "src", "conf", "train.py"]
        content = subprocess.run(words, cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x"], cwd=tree, check=True, input=content)
        yield tree
