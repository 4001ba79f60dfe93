"""The commit that results name."""

from __future__ import annotations

import subprocess

import pytest

from metastruct.runs.provenance import git_commit


@pytest.mark.parametrize(("changed", "dirty"), [("src/a", True), ("outputs/b", False), ("new", False)])
def test_a_commit_is_dirty_where_tracked_code_differs_and_not_for_the_results_of_a_command(tmp_path, changed, dirty):
    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        command = ["git", "-C", str(tmp_path), *who, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "--quiet")
    for name in ("src/a", "outputs/b"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    (tmp_path / "environment").mkdir()
    (tmp_path / "environment" / "installed").touch()
    assert git_commit(tmp_path / "environment") == "unknown"
    (tmp_path / changed).write_text("2")
    assert git_commit(tmp_path / "src") == git("rev-parse", "HEAD") + ("-dirty" if dirty else "")
