from __future__ import annotations

import dataclasses
import importlib
import shutil
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from metastruct.config.facts import CONF, facts_of
from metastruct.config.pieces import Refused
from metastruct.running.keys import evaluation_key, evaluation_settings, training_key, training_settings
from metastruct.running.run import Run, configuration_in
from metastruct.runs import source

Tree = Mapping[str, Any]

IN_NEITHER = [
    *("logger=none", "logger.project=other", "logger.mode=disabled", "trainer.accelerator=cpu", "trainer.threads=2"),
    *("trainer.checkpoint_seconds=60", "force=true", "outputs=elsewhere", "evaluation.figures=false", "tag=other"),
    *("trainer.work=2", "replicas=8", "trainer.compile=always"),
    "rank=5",  # the default of svd
]
IN_THE_EVALUATION_ONLY = [
    *(
        "evaluation.metrics=[ssim]",
        "shots=50",
        "evaluation.steps=10",
        "evaluation.start=zero",
        "evaluation.grid=20",
        "evaluation.box_scale=1.5",
    ),
    *("adaptation.tolerance=0.01", "integrator.step_size=0.01", "data.test_tasks=3", "data.support_trajectories=2"),
]
IN_BOTH = [
    *("seed=1", "rank=3", "system=duffing", "system.parameters.m=[1,2]", "modulation=shift", "modulation.code_dim=4"),
    *("net=separable", "net.width=32", "dynamics=unstructured", "learner.schedule=alternating", "locality=weak"),
    *("learner.point_batch=8", "locality.lambda_z=0.5", "optimizer.base_rate=0.1", "trainer.steps=10", "data.seed=1"),
    *("data.train_tasks=71", "data.trajectories=11", "data.horizon=5", "data.points=100", "data.tolerance=1e-9"),
    *("start=in_box", "start=under_cap"),
]


@pytest.fixture(scope="module")
def settings(composed):
    return lambda *overrides: OmegaConf.to_container(composed(*overrides), resolve=True)


@pytest.fixture(scope="module")
def default(settings) -> Tree:
    return settings()


def reversed_order(tree: Any) -> Any:
    if not isinstance(tree, Mapping):
        return tree
    return {key: reversed_order(tree[key]) for key in reversed(tree)}


def test_two_different_keys_of_eight_hexadecimal_digits(default):
    keys = {training_key(default), evaluation_key(default)}
    assert len(keys) == 2
    assert all(len(key) == 8 and int(key, 16) >= 0 for key in keys)


@pytest.mark.parametrize("override", IN_NEITHER)
def test_what_changes_no_number_changes_no_key(settings, default, override):
    other = settings(override)
    assert other != default
    assert training_key(other) == training_key(default)
    assert evaluation_key(other) == evaluation_key(default)


@pytest.mark.parametrize("override", IN_THE_EVALUATION_ONLY)
def test_evaluating_differently_does_not_train_again(settings, default, override):
    other = settings(override)
    assert training_key(other) == training_key(default)
    assert evaluation_key(other) != evaluation_key(default)


@pytest.mark.few(4)
@pytest.mark.parametrize("override", IN_BOTH)
def test_training_differently_changes_both_keys(settings, default, override):
    other = settings(override)
    assert training_key(other) != training_key(default)
    assert evaluation_key(other) != evaluation_key(default)


def test_another_bracket_changes_both_keys(settings):
    first, second = (settings("system=damped_oscillator", f"bracket={name}") for name in ("gnode", "nms"))
    assert training_key(first) != training_key(second)
    assert evaluation_key(first) != evaluation_key(second)


def test_another_box_of_the_starts_changes_both_keys(settings):
    first, second = (settings("start=in_box", f"start.box=[[-1,1],[-1,{high}]]") for high in (1, 2))
    assert training_key(first) != training_key(second)
    assert evaluation_key(first) != evaluation_key(second)


def test_a_system_that_starts_as_it_does_has_the_keys_of_a_configuration_without_starts(default):
    before = {name: value for name, value in default.items() if name != "start"}
    assert default["start"] is None
    assert training_key(default) == training_key(before)
    assert evaluation_key(default) == evaluation_key(before)


def test_another_version_of_the_results_changes_both_keys(default, monkeypatch):
    before = training_key(default), evaluation_key(default)
    monkeypatch.setattr("metastruct.running.keys.RESULTS_VERSION", -1)
    assert training_key(default) != before[0]
    assert evaluation_key(default) != before[1]


EDITS = {"law": True, "force": True, "beside": False}


@pytest.mark.parametrize("edited", EDITS)
@pytest.mark.parametrize("group", ["system", "net", "adaptation"])
def test_an_edit_of_a_piece_of_a_user_changes_the_keys_of_what_it_decides(
    default, monkeypatch, tmp_path, edited, group
):
    texts = {
        "law": "from .force import PULL\nclass Law:\n    pull = PULL\n",
        "force": "PULL = 1\n",
        "beside": "PULL = 1\n",
    }
    monkeypatch.syspath_prepend(str(tmp_path))

    def keys(package: str, **changes: str) -> tuple[str, str]:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        for name, text in (texts | changes).items():
            (tmp_path / package / f"{name}.py").write_text(text)
        piece = {**default[group], "_target_": f"{package}.law.Law"}
        settings = {**default, group: piece}
        result = training_key(settings), evaluation_key(settings)
        shutil.rmtree(tmp_path / package)
        source._as_imported.cache_clear()
        importlib.invalidate_caches()
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            sys.modules.pop(name)
        return result

    before, same = keys("laws_of_a_user"), keys("laws_of_a_user")
    after = keys("laws_of_a_user", **{edited: texts[edited] + "# edited\n"})
    assert before == same
    assert (after[1] != before[1]) == EDITS[edited]
    assert (after[0] != before[0]) == (EDITS[edited] and group != "adaptation")


def test_the_source_of_this_package_is_in_no_key(default):
    assert "source" not in evaluation_settings(default)
    assert "source" not in training_settings(default)


def test_an_edit_while_a_process_runs_changes_no_key_of_what_it_imported(default, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "law_in_use.py"
    path.write_text("class Law:\n    pass\n")
    settings = {**default, "system": {**default["system"], "_target_": "law_in_use.Law"}}
    importlib.import_module("law_in_use")
    before = training_key(settings)
    path.write_text("class Law:\n    edited = True\n")
    assert training_key(settings) == before
    importlib.reload(sys.modules["law_in_use"])
    assert training_key(settings) != before
    sys.modules.pop("law_in_use")


@pytest.fixture
def moved(monkeypatch):
    """As if the class of net=mlp had moved here from another place."""
    facts_of("net", "mlp")  # read before
    facts = dataclasses.replace(facts_of("net", "mlp"), formerly="metastruct.before.MLP")
    for module in ("metastruct.running.keys", "metastruct.running.run"):
        monkeypatch.setattr(f"{module}.facts_of", lambda *piece: facts if piece == ("net", "mlp") else facts_of(*piece))


def test_a_class_that_moved_keeps_the_keys_that_it_had(default, moved):
    before = {**default, "net": {**default["net"], "_target_": "metastruct.before.MLP"}}
    assert training_key(default) == training_key(before)
    assert training_settings(default)["net"]["_target_"] == "metastruct.before.MLP"


def test_a_run_folder_of_before_a_setting_that_may_be_unset_is_read(default):
    before = {**default, "data": {name: value for name, value in default["data"].items() if name != "observed"}}
    run = Run.of(configuration_in(yaml.safe_dump(before).encode(), "here"))
    assert run.config.data["observed"] is None
    before["data"].pop("noise")
    with pytest.raises(Refused, match=r"data\.noise is missing"):
        Run.of(configuration_in(yaml.safe_dump(before).encode(), "here"))


def test_the_version_of_a_piece_is_in_the_keys_of_runs_with_it_alone(default, monkeypatch):
    facts, other = dataclasses.replace(facts_of("net", "mlp"), version=2), {**default, "net": {"name": "separable"}}
    before = training_key(default), training_key(other)
    monkeypatch.setattr(
        "metastruct.running.keys.facts_of", lambda *piece: facts if piece == ("net", "mlp") else facts_of(*piece)
    )
    assert (training_key(default) != before[0], training_key(other) != before[1]) == (True, False)


def test_a_run_folder_of_before_a_class_moved_is_read(default, moved):
    before = {**default, "net": {**default["net"], "_target_": "metastruct.before.MLP"}}
    assert Run.of(configuration_in(yaml.safe_dump(before).encode(), "here")).config.net == default["net"]
    before["net"]["_target_"] = "metastruct.never.MLP"
    with pytest.raises(Refused, match=r"metastruct\.never\.MLP"):
        configuration_in(yaml.safe_dump(before).encode(), "here")


def test_keys_do_not_depend_on_the_order_of_the_settings(default):
    other = reversed_order(default)
    assert list(other) != list(default)
    assert training_key(other) == training_key(default)
    assert evaluation_key(other) == evaluation_key(default)


RECORDED = CONF.parent / "outputs" / "reference"
