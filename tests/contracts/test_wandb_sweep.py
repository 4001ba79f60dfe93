"""The sweep of Weights & Biases: every command that its agent can make is one that train.py takes."""

from __future__ import annotations

import subprocess
import sys

import pytest
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
