"""Pieces of a user's own, in a package and a folder of yamls of the user's: examples/own_pieces."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import metastruct
from metastruct.config.facts import CONF, options
from metastruct.config.folders import VARIABLE, folders, without_folders
from metastruct.config.pieces import Refused
from metastruct.config.schema import ConfigError, composed, groups
from metastruct.running.experiment import run
from metastruct.running.keys import training_settings
from metastruct.running.run import Run

OWN = CONF.parent / "examples" / "own_pieces"
WORDS = ("system=quartic", "net=waves", "modulation=stretch")


@pytest.fixture
def own(monkeypatch) -> Path:
    """The folder of yamls, whose package can be imported; nothing is left of either."""
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.syspath_prepend(str(OWN))
    return OWN / "conf"


def test_the_document_shows_the_files_as_they_are():
    shown = re.findall(r"^`(\w\S*)`\n\n```\w+\n(.*?)^```$", (CONF.parent / "docs/extend.md").read_text(), re.M | re.S)
    files = [path for path in OWN.rglob("*.*") if path.suffix in (".py", ".yaml") and path.name != "__init__.py"]
    assert {OWN / name: text for name, text in shown} == {path: path.read_text() for path in files}


def test_they_are_trained_measured_and_loaded(own, tiny, tmp_path):
    metastruct.add_conf(own)
    folder = run(tiny(tmp_path, *WORDS))
    metrics = json.loads(folder.metrics.read_text())
    assert metrics["worst_field_error"]["mean"] > 0
    assert metrics["method"] == "stretch"
    member = metastruct.load(folder.path).adapt(*[[[0.5, 0.1], [0.2, -0.3], [-0.4, 0.8]]] * 2)
    assert member.vector_field([[0.1, 0.2]]).shape == (1, 2)
    os.environ[VARIABLE] = ""
    with pytest.raises(Refused, match=r"got 'stiff\.quartic\.Quartic'; pieces of your own need their folder"):
        metastruct.load(folder.path)


def test_a_key_holds_the_source_of_their_classes_and_of_no_others(own):
    metastruct.add_conf(own)
    assert "source" in training_settings(Run.of(composed(*WORDS)).settings)
    assert "source" not in training_settings(Run.of(composed()).settings)


def test_nothing_is_known_of_them_before_their_folder_is_added(own):
    assert "quartic" not in options("system")
    metastruct.add_conf(own)
    assert "quartic" in groups()["system"]
    metastruct.add_conf(own)
    assert folders() == (CONF, own)


@pytest.mark.parametrize(
    "words",
    ["--config-dir {0} seed=1", "--config-dir={0} seed=1", "-cd {0} seed=1", "seed=1 hydra.searchpath=[file://{0}]",
     "hydra.searchpath=['file://{0}'] seed=1"],
)  # fmt: skip
def test_a_command_line_names_the_folder(own, words):
    assert without_folders(words.format(own).split()) == ["seed=1"]
    assert folders()[1:] == (own,)


def test_a_package_may_be_the_folder(own, tmp_path, monkeypatch):
    (tmp_path / "packaged_pieces" / "system").mkdir(parents=True)
    (tmp_path / "packaged_pieces" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert without_folders(["hydra.searchpath=[pkg://packaged_pieces]"]) == []
    assert folders()[1:] == (tmp_path / "packaged_pieces",)


REFUSED = {
    "--config-dir nowhere": "nowhere must be a folder of yamls GROUP/NAME.yaml, got none",
    "--config-dir": "--config-dir needs a folder of yamls GROUP/NAME.yaml, got none",
    "hydra.searchpath=[pkg://no.such.package]": "no.such.package must be a package that can be imported",
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_folder_that_is_not_there_is_refused(own, words):
    with pytest.raises(ValueError, match=REFUSED[words]):
        without_folders(words.split())
    assert folders() == (CONF,)


def test_a_yaml_in_the_place_of_another_is_refused(own, tmp_path, monkeypatch):
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "pendulum.yaml").write_text("name: pendulum\n")
    with pytest.raises(ValueError, match=r"system/pendulum\.yaml must be in one folder, got it in .*; rename yours"):
        metastruct.add_conf(tmp_path)
    monkeypatch.setenv("METASTRUCT_CONF", str(tmp_path))
    with pytest.raises(ValueError, match="rename yours"):
        folders()


def test_a_yaml_in_the_place_of_the_first_one_is_refused(own, tmp_path):
    (tmp_path / "train.yaml").write_text("net: mine\n")
    with pytest.raises(ValueError, match=r"train\.yaml must be in one folder"):
        metastruct.add_conf(tmp_path)


def test_a_folder_may_have_any_name_but_one_that_parts_folders(own, tmp_path):
    for name in ("a b", "a,b", "a[b", "it's", "a=b", "ä", "a#b"):
        shutil.copytree(own, tmp_path / name)
        os.environ[VARIABLE] = str(tmp_path / name)
        assert composed("system=quartic").system.name == "quartic"
    with pytest.raises(ValueError, match="must be a folder without : in its name"):
        metastruct.add_conf(tmp_path / "a:b")


def test_a_yaml_that_cannot_be_read_is_told_in_a_line(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "mine.yaml").write_text("width: [")
    command = [sys.executable, str(CONF.parent / "train.py"), "net=mine", "--config-dir", str(tmp_path)]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 2
    assert told.stderr.startswith("error: ")
    assert told.stderr.count("\n") == 1
    assert "net/mine.yaml" in told.stderr


def test_a_class_that_cannot_be_imported_is_told_in_a_line(own, tmp_path):
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "lost.yaml").write_text("_target_: no_such_package.lost.Lost\nname: lost\n")
    metastruct.add_conf(tmp_path)
    with pytest.raises((ConfigError, Refused), match=r"no_such_package.lost.Lost cannot be imported: .*PYTHONPATH"):
        run(composed("system=lost"))


def typed(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`metastruct` in a process of its own, whose folder is another one."""
    command = [sys.executable, "-c", "from metastruct.commands import main; main()", *words]
    paths = os.pathsep.join([str(OWN), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )


@pytest.mark.torture
def test_a_sweep_of_our_launcher_knows_them(tmp_path):
    few = ("trainer.steps=2", "data.train_tasks=2", "data.test_tasks=1", "data.points=20", "shots=10", "logger=none")
    words = (*WORDS, *few, "seed=0,1", "evaluation.grid=11", "trainer.accelerator=cpu", "hydra/launcher=gpu_pool")
    done = typed("train", "-m", *words, "--config-dir", str(OWN / "conf"), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len([*tmp_path.glob("outputs/quartic-stretch-seed*/metrics.json")]) == 2


@pytest.mark.torture
def test_their_contracts_hold_and_a_broken_one_is_found(tmp_path):
    words = ("system=quartic", "--config-dir", str(OWN / "conf"))
    assert typed("check", *words, folder=tmp_path).returncode == 0
    (tmp_path / "conf" / "system").mkdir(parents=True)
    (tmp_path / "broken.py").write_text(
        "from stiff.quartic import Quartic\n\n\nclass Broken(Quartic):\n    name = 'broken'\n\n"
        "    def energy(self, x, mu):\n        return super().energy(x, mu) + x[..., 0] ** 2\n"
    )
    (tmp_path / "conf" / "system" / "broken.yaml").write_text(
        "_target_: broken.Broken\nname: broken\nparameters:\n  k: [0.5, 2.0]\n"
    )
    done = typed("check", "system=broken", "--config-dir", "conf", folder=tmp_path)
    assert done.returncode == 1
    assert "energy" in done.stdout


@pytest.mark.torture
def test_check_tries_every_case_of_a_piece_also_where_few_of_all_are_tried(own, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    listed = typed("check", "optimizer=muon", folder=tmp_path).stdout
    for name in ("ends_with_the_numbers_of_one_that_was_never_stopped", "diverges_leaves_the_others_alone"):
        assert re.search(rf"{name}\[auto_decoding-muon(-2-11)?\]", listed), name
    assert "UnknownMark" not in listed
