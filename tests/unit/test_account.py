"""Weights & Biases in odd surroundings: no network, no home, old words; a run goes on whatever they are."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from metastruct.config.resolvers import tracking_mode
from metastruct.running.tracking.account import has_key


@pytest.mark.parametrize(
    ("word", "mode"),
    [("", "offline"), (" ", "offline"), ("dryrun", "offline"), ("run", "online"), ("ONLINE", "online"), ("x", "x")],
)
def test_an_old_or_an_empty_word_is_a_mode_of_today(monkeypatch, word, mode):
    monkeypatch.setenv("WANDB_MODE", word)
    assert tracking_mode() == mode
    monkeypatch.delenv("WANDB_MODE")
    assert tracking_mode() == "offline"


def test_a_key_lies_where_people_keep_it(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not has_key()
    (tmp_path / "elsewhere").write_text("machine api.wandb.ai login user password 0\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "elsewhere"))
    assert has_key()
    monkeypatch.setenv("NETRC", "/dev/null/x")
    assert not has_key()
    (tmp_path / "_netrc").write_bytes(b"\xff machine api.wandb.ai")
    assert has_key()
    monkeypatch.setenv("HOME", "/nowhere")
    assert not has_key()
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert has_key()


def test_without_a_network_the_curves_stay_offline(monkeypatch, tmp_path, capsys):
    wandb = pytest.importorskip("wandb")
    from metastruct.running.tracking import wandb as tracking

    asked = []

    def init(**words: object) -> SimpleNamespace:
        asked.append(words["mode"])
        if words["mode"] == "online":
            raise wandb.errors.CommError("no network\nat all")
        return SimpleNamespace(define_metric=lambda *_, **__: None)

    monkeypatch.setattr(tracking.wandb, "init", init)
    monkeypatch.setattr(tracking, "WandbLogger", lambda experiment, log_model: experiment)
    tracking.wandb_logger("online", "project", tmp_path / "outputs", "name", "group", [], {})
    assert asked == ["online", "offline"]
    said = " ".join(capsys.readouterr().out.split())
    assert "cannot be reached (no network at all); the curves stay offline" in said


@pytest.mark.parametrize(
    "variables", [{"WANDB_SILENT": "junk"}, {"WANDB_SERVICE": "2-1-tcp-localhost-1"}, {"WANDB_MODE": " "}]
)
def test_variables_that_weights_and_biases_does_not_take_end_no_run(monkeypatch, tmp_path, capsys, variables):
    pytest.importorskip("wandb")
    from metastruct.running.tracking.wandb import wandb_logger

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    logger = wandb_logger("offline", "project", tmp_path / "outputs", "name", "group", [], {})
    if logger is not None:
        logger.experiment.finish()
    assert (logger is None) == ("WANDB_MODE" not in variables)
    assert ("cannot begin" in capsys.readouterr().out) == (logger is None)
