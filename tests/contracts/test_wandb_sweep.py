"""The sweep of Weights & Biases: every command that its agent can make is one that train.py takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from metastruct.config.facts import CONF
from metastruct.config.schema import ConfigError
from metastruct.running.keys import training_settings
from metastruct.running.validation import validate
from metastruct.runs.digest import digest
from metastruct.sweeps.table import configured

SWEEP: dict = OmegaConf.to_container(OmegaConf.load(CONF / "wandb_sweep.yaml"), resolve=False)  # type: ignore[assignment]
FIXED = [word for word in SWEEP["command"] if not word.startswith("${")]


def values(parameter: dict) -> list:
    """What a parameter can become: each of its values, or the ends of its range."""
    return parameter.get("values") or [parameter[key] for key in ("value", "min", "max") if key in parameter]


def words(chosen: dict) -> list[str]:
    """The overrides that the agent writes for one choice of the parameters."""
    return create_sweep_command_args({"args": {name: {"value": value} for name, value in chosen.items()}})[
        "args_no_hyphens"
    ]


def unique(choices: list[dict], *but: str) -> list[dict]:
    """Each choice once, whatever it says of some parameters."""
    return [*{tuple(value for name, value in one.items() if name not in but): one for one in choices}.values()]


FIRST = {name: values(parameter)[0] for name, parameter in SWEEP["parameters"].items()}
CHOICES = [FIRST | {name: value} for name, parameter in SWEEP["parameters"].items() for value in values(parameter)]


@pytest.mark.few(1)
@pytest.mark.parametrize("modulation", values(SWEEP["parameters"]["modulation"]))
def test_every_choice_composes_and_makes_sense(composed, modulation, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "some")
    first = [*FIXED, *words(FIRST | {"modulation": modulation})]
    assert configured(*first) == composed(*first)  # so that the others need not be composed, for Hydra takes its time
    for chosen in unique(CHOICES, "modulation"):
        validate(configured(*FIXED, *words(chosen | {"modulation": modulation})))


@pytest.mark.torture
def test_every_parameter_is_one_that_results_depend_on():
    def key(chosen: dict) -> str:
        return digest(training_settings(OmegaConf.to_container(configured(*words(chosen)), resolve=True)))  # type: ignore[arg-type]

    for name, parameter in SWEEP["parameters"].items():
        if "value" not in parameter:
            keys = {key(FIRST | {name: value}) for value in values(parameter)}
            assert len(keys) == len(values(parameter)), name


def test_a_mistake_in_a_parameter_would_be_seen(composed, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "some")
    with pytest.raises(ConfigError):
        validate(composed(*FIXED, *words(FIRST | {"modulation.code_dim": "many"})))


def test_settings_are_not_chosen_on_the_members_of_the_tables(composed):
    assert composed(*FIXED).data.seed != composed().data.seed


def test_the_metric_is_one_that_a_run_logs():
    from metastruct.running.tracking.wandb import summary

    statistics = {"mean": 1.0, "std": 0.1, "median": 1.0}
    metrics = {"trajectory_error": statistics, "parameters": {"base": 1, "hypernetwork": 1}}
    assert SWEEP["metric"]["name"] in summary(metrics)


def test_a_table_of_members_leaves_out_what_nobody_could_measure():
    from metastruct.running.tracking.wandb import of_members

    metrics = {
        "field_error": {"mean": None, "per_task": None},
        "forecast_error": {"mean": 2.0, "per_task": [1.0, None]},
    }
    table = of_members(metrics | {"seconds": {"total": 1.0}, "seed": 0}, ["rig 1", "rig 2"])
    assert table == (["member", "forecast_error"], [["rig 1", 1.0], ["rig 2", None]])


@pytest.mark.torture
def test_the_agent_itself_makes_a_run_of_the_sweep_offline(tmp_path, monkeypatch):
    """Everything but the server, whose three answers are given here: which sweep, which agent, which run is next."""
    wandb_agent = pytest.importorskip("wandb.wandb_agent")
    from wandb.apis.public import sweeps

    small = ["trainer.steps=5", "net.width=8", "data.train_tasks=4", "data.test_tasks=2", "data.points=20", "shots=10"]
    command = [word.replace("logger.mode=online", "logger.mode=offline") for word in SWEEP["command"]]
    command[-1:-1] = [*small, "learner.task_batch=4", "evaluation.grid=11", "integrator.step_size=0.1"]
    args = {name: {"value": value} for name, value in FIRST.items()}
    program = str(CONF.parent / SWEEP["program"])
    told = [[{"type": "run", "run_id": "abc123", "program": program, "args": args}]]

    def heartbeat(api: object, agent: str, metrics: dict, runs: dict) -> list[dict]:
        return told.pop() if told else [] if runs else [{"type": "exit"}]

    monkeypatch.setattr(sweeps, "_sweep_with_runs", lambda *_: {"config": yaml.safe_dump(SWEEP | {"command": command})})
    monkeypatch.setattr(sweeps, "_register_agent", lambda *_, **__: {"id": "agent"})
    monkeypatch.setattr(sweeps, "_agent_heartbeat", heartbeat)
    monkeypatch.setattr("wandb.Api", lambda: None)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for name in ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_ENTITY", "WANDB_PROJECT"):
        monkeypatch.setenv(name, "")  # what the agent sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    wandb_agent.run_agent("sweep1", entity="somebody", project="metastruct")
    (metrics,) = tmp_path.glob("outputs/*/metrics.json")
    (folder,) = tmp_path.glob("outputs/wandb/offline-run-*-abc123")  # the run that the sweep knows
    inspect = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(folder)]
    summary = json.loads(subprocess.run(inspect, capture_output=True, text=True, check=True).stdout)["summary"]
    median = json.loads(metrics.read_text())["trajectory_error"]["median"]
    assert summary[SWEEP["metric"]["name"]] == pytest.approx(median)


def test_the_command_of_the_agent_reaches_train(tmp_path):
    stand_ins = {
        "${env}": "/usr/bin/env",
        "${interpreter}": sys.executable,
        "${program}": str(CONF.parent / SWEEP["program"]),
    }
    command = [stand_ins.get(word, word) for word in SWEEP["command"] if word != "${args_no_hyphens}"]
    result = subprocess.run(
        [*command, *words(FIRST), "--cfg", "job"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "tag: sweep" in result.stdout
