"""The dashboard is written, pushed and updated as its code says; no test asks the network."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from metastruct.config.facts import CONF

pytest.importorskip("wandb_workspaces")

from wandb_workspaces.workspaces import Workspace, internal

from metastruct.running.tracking.dashboard import dashboard, push, shown, spec

SCRIPT = CONF.parent / "scripts" / "dashboard.py"


@pytest.fixture
def command(tmp_path):
    """Runs scripts/dashboard.py as a person without an account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}

    def run(*more: str, **environment: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, str(SCRIPT), "--output", str(tmp_path / "dashboard.json"), *more]
        settings = kept | {"HOME": str(tmp_path)} | environment
        return subprocess.run(words, env=settings, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_without_a_key_the_spec_is_written_and_reads_back_as_the_same_workspace(command, tmp_path):
    result = command()
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("offline: ")
    written = json.loads((tmp_path / "dashboard.json").read_text())
    again = Workspace._from_model(internal.View.model_validate(written))
    assert [section.name for section in again.sections] == [section.name for section in dashboard("any").sections]
    assert shown(spec(again)) == shown(spec(dashboard("any")))


def test_online_without_a_key_is_told_in_one_line_and_nothing_is_written(command, tmp_path):
    result = command(WANDB_MODE="online")
    assert result.returncode == 1
    assert result.stderr == (
        "error: WANDB_MODE=online needs an API key in WANDB_API_KEY; set the key or use WANDB_MODE=offline\n"
    )
    assert not (tmp_path / "dashboard.json").exists()


@pytest.mark.parametrize("name", ["--project", "--entity"])
def test_a_project_or_a_team_that_is_no_word_is_refused_in_one_line(command, tmp_path, name):
    result = command(f"{name}=../<b>x")
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {name} must be up to 64 letters")
    assert not (tmp_path / "dashboard.json").exists()


def test_a_workspace_that_is_pushed_twice_is_one_view(monkeypatch, tmp_path):
    saved: list[tuple[str, str]] = []

    def server(view: internal.View) -> dict:
        saved.append((view.name, view.id))
        return {"upsertView": {"view": {"name": view.name, "id": view.id or f"view{len(saved)}"}}}

    monkeypatch.setattr(internal, "upsert_view2", server)
    monkeypatch.setattr(Workspace, "url", property(lambda self: f"address of {self._internal_name}"))
    path = tmp_path / "dashboard.json"
    first, second = (push(dashboard("project", "someone"), path) for _ in range(2))
    assert first == second
    assert saved[1] == (saved[0][0], "view1")
    push(dashboard("project", "another"), path)
    assert saved[2][1] == ""


def test_a_panel_of_something_else_would_be_seen():
    tree = spec(dashboard("any"))
    assert "test/colour" not in shown(tree)
    assert "test/colour" in shown(json.loads(json.dumps(tree).replace("test/field_error", "test/colour")))
