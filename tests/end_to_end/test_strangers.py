"""Folders from strangers: nothing in them is executed, and nothing is read or written outside of them.

Every attack is carried out on a copy of a finished run, under an audit hook that hears whatever Python opens, starts or
connects to. `TRAP` is where a payload would leave its trace.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf
from processes import begin

import metastruct
from metastruct.config.facts import CONF
from metastruct.evaluation.archive import Archive
from metastruct.paper.long_horizon.study import LongHorizon
from metastruct.paper.report import report
from metastruct.running.experiment import run
from metastruct.runs.files import write_checked
from metastruct.runs.folder import RunFolder
from metastruct.runs.lines import write_lines
from metastruct.runs.records import Record, write_records
from metastruct.runs.tables import as_csv

SCRIPTS = CONF.parent / "scripts"
HEARD: list[tuple[str, str]] = []
LISTENING = False
LOUD = {
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "socket.bind",
    "pty.spawn",
    "ctypes.dlopen",
    "shutil.rmtree",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.symlink",
}


def hear(event: str, arguments: tuple) -> None:
    if LISTENING and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        HEARD.append(("open", os.fsdecode(arguments[0])))
    elif LISTENING and event in LOUD:
        HEARD.append((event, str(arguments[0]) if arguments else ""))


sys.addaudithook(hear)


@contextmanager
def nothing_outside(folder: Path, trap: Path) -> Iterator[None]:
    """Nothing is started, and of what lies around the folder nothing is opened."""
    global LISTENING
    HEARD.clear()
    LISTENING = True
    try:
        yield
    finally:
        LISTENING = False
    assert {path.name for path in trap.iterdir()} == {"secret"}
    started = [what for what in HEARD if what[0] not in ("open", "os.remove", "os.rename", "os.mkdir", "shutil.rmtree")]
    assert not started
    around = [name for _, name in HEARD if str(trap) in name or name.startswith(("/etc/passwd", "/root/.ssh"))]
    assert not around


@pytest.fixture
def trap(tmp_path) -> Path:
    """A folder beside the stranger's, with a secret in it."""
    (tmp_path / "trap").mkdir()
    (tmp_path / "trap" / "secret").write_text("name: secret\n")
    return tmp_path / "trap"


@pytest.fixture
def folder(first_run, tmp_path) -> Path:
    shutil.copytree(first_run[0].path, tmp_path / first_run[0].path.name)
    return tmp_path / first_run[0].path.name


class Payload:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "owned")


# What a configuration may hold

Tree = dict[str, Any]
WHERE = ("net.width", "modulation.scale", "system.parameters", "integrator.step_size", "adaptation.learning_rate")


def put(tree: Tree, where: str, value: Any) -> None:
    *groups, last = where.split(".")
    for group in groups:
        tree = tree[group]
    tree[last] = value


def payloads(trap: Path) -> dict[str, Any]:
    """What would leave a trace if it were made."""
    there = str(trap / "owned")
    touch = {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": [there]}]}
    return {
        "a function of torch": {"_target_": "torch.load", "f": there, "weights_only": False},
        "a function of numpy": {"_target_": "numpy.load", "file": there, "allow_pickle": True},
        "a file handler": {"_target_": "logging.FileHandler", "filename": there},
        "a path": touch,
        "a shell": {"_target_": "os.system", "_args_": [f"touch {there}"]},
        "a process": {"_target_": "subprocess.Popen", "args": ["touch", there]},
        "eval": {"_target_": "builtins.eval", "_args_": [f"open({there!r}, 'w')"]},
        "hydra itself": {"_target_": "hydra.utils.instantiate", "config": touch},
        "a class of this package out of place": {
            "_target_": "metastruct.runs.files.write_atomically",
            "path": there,
            "content": "x",
        },
        "half of a call": touch | {"_partial_": True},
        "not recursive": {"_target_": "pathlib.Path", "_args_": [there], "_recursive_": False},
        "converted": {"_target_": "pathlib.Path", "_args_": [there], "_convert_": "all"},
        "in a list": [1, [touch]],
        "in a mapping": {"deep": {"deeper": touch}},
        "the environment": "${oc.env:HOME}",
        "the environment in a word": "a ${oc.env:HOME} b",
        "a decoded word": "${oc.decode:${oc.env:HOME}}",
        "a resolver of this project": "${metastruct.given:1,2}",
        "a resolver that nobody knows": "${shell:touch}",
        "a reference": "${net.depth}",
        "a target that is no word": {"_target_": ["os.system"]},
        "a target without a module": {"_target_": "eval"},
    }


NAMES = [*payloads(Path("/nowhere"))]


def everywhere() -> Iterator[Any]:
    """Every payload in every place; all but one place of each are torture."""
    for (number, name), (there, where) in product(enumerate(NAMES), enumerate(WHERE)):
        yield pytest.param(name, where, marks=[] if there == number % len(WHERE) else pytest.mark.torture)


@pytest.mark.few(7)
@pytest.mark.parametrize(("name", "where"), everywhere())
def test_nothing_that_a_configuration_names_is_made(folder, trap, name, where):
    tree = yaml.safe_load((folder / "config.yaml").read_text())
    put(tree, where, payloads(trap)[name])
    (folder / "config.yaml").write_text(yaml.safe_dump(tree))
    with nothing_outside(folder, trap):
        refused(lambda: metastruct.load(folder))


def refused(call: Callable[[], Any], kind: type[Exception] | tuple = (ValueError, FileNotFoundError)) -> str:
    with pytest.raises(kind) as error:
        call()
    told = str(error.value)
    assert told
    assert "\n" not in told
    assert len(told) < 2000
    return told


def bomb(levels: int = 40) -> str:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, levels)]
    return "\n".join(lines)


TEXTS = {
    "laughs": lambda text: bomb() + "\n" + text,
    "laughs in keys": lambda text: text + "\nlocality: &l {name: none, lambda_z: 0, lambda_phi: 0}\nx: *l\n",
    "an anchor that holds itself": lambda text: text + "\nx: &x [*x]\n",
    "a merge": lambda text: text + "\ny: &y {a: 1}\nx: {<<: *y}\n",
    "without end": lambda text: text + "#" * 1_000_000,
    "a deep list": lambda text: text + "\nx: " + "[" * 50_000 + "]" * 50_000,
    "a tag that calls": lambda text: text + "\nx: !!python/object/apply:os.system ['touch owned']\n",
    "a tag that names": lambda text: text + "\nx: !!python/name:os.system ''\n",
    "a tag of a module": lambda text: text + "\nx: !!python/module:antigravity ''\n",
    "a tag of nobody": lambda text: text + "\nx: !owned 1\n",
    "bytes": lambda text: text.replace("tag: main", "tag: !!binary aGVsbG8="),
    "a date": lambda text: text.replace("tag: main", "tag: 2020-01-01"),
    "a set": lambda text: text.replace("tag: main", "tag: !!set {a, b}"),
    "a number of many digits": lambda text: text.replace("shots: 10", "shots: 1" + "0" * 6000),
    "several documents": lambda text: text + "\n---\n" + text,
    "no mapping": lambda text: "[1, 2]",
    "nothing": lambda text: "",
    "one word": lambda text: "net",
    "binary": lambda text: text + "\0\1",
    "keys that are no words": lambda text: text + "\n? [1, 2]\n: 3\n",
    "another key": lambda text: text + "\nhydra: {run: {dir: /tmp}}\n",
    "a missing group": lambda text: text + "\nnet: ???",
    "a positional group": lambda text: text + "\nnet: [8, 3]\n",
    "a group that is a word": lambda text: text + "\nnet: mlp\n",
    "a negative size": lambda text: text.replace("width: 8", "width: -8"),
    "a size that no machine has": lambda text: text.replace("width: 8", "width: 100000000"),
    "a size that is a word": lambda text: text.replace("width: 8", "width: eight"),
    "a size that is no number": lambda text: text.replace("width: 8", "width: .nan"),
    "a seed below zero": lambda text: text.replace("\nseed: 0", "\nseed: -1"),
    "a name from elsewhere": lambda text: text.replace("name: mlp", "name: ../../conf/net/mlp"),
    "a name with an end": lambda text: text.replace("name: mlp", 'name: "mlp\\0"'),
    "an absolute name": lambda text: text.replace("name: pendulum", "name: /etc/passwd"),
    "a name of a folder": lambda text: text.replace("name: mlp", "name: ."),
    "another target under the name": lambda text: text.replace(
        "metastruct.nets.mlp.MLP", "metastruct.nets.separable.Separable"
    ),
    "another name over the target": lambda text: text.replace("name: pendulum", "name: duffing"),
    "a name of another group": lambda text: text.replace("name: mlp", "name: pendulum"),
    "another training": lambda text: text.replace("\nseed: 0", "\nseed: 7"),
}


@pytest.mark.few(14)
@pytest.mark.parametrize("change", TEXTS.values(), ids=TEXTS)
def test_a_configuration_that_is_none_is_refused_in_one_line(folder, trap, change):
    config = folder / "config.yaml"
    before = config.read_text()
    config.write_text(change(before))
    assert config.read_text() != before
    with nothing_outside(folder, trap):
        refused(lambda: metastruct.load(folder))


def test_the_folder_itself_is_loaded(folder, trap):
    with nothing_outside(folder, trap):
        metastruct.load(folder)


LINKED = ("config.yaml", "model.ckpt", "model.ckpt.sha256", "metrics.json", "records.csv", "evaluation.npz")


@pytest.mark.parametrize("name", LINKED)
@pytest.mark.parametrize("how", [os.symlink, lambda _, path: os.mkfifo(path)], ids=["link", "pipe"])
def test_a_file_that_leads_out_of_the_folder_is_not_followed(folder, trap, name, how):
    (folder / name).unlink()
    how(trap / "secret", folder / name)
    with nothing_outside(folder, trap):
        told = refused(lambda: metastruct.load(folder))
    assert name in told
    assert (trap / "secret").read_text() == "name: secret\n"


@pytest.mark.parametrize("name", ["config.yaml", "model.ckpt", "model.ckpt.sha256", "metrics.json", "evaluation.npz"])
def test_a_file_of_terabytes_is_not_read(folder, trap, name):
    with open(folder / name, "r+b") as file:
        file.truncate(2**42)  # which takes no room on the disk
    if name == "metrics.json":
        assert RunFolder(folder).finished() is None
        return
    with nothing_outside(folder, trap):
        refused(lambda: Archive.load(folder / name) if name == "evaluation.npz" else metastruct.load(folder))


def test_a_link_within_the_folder_is_followed(folder):
    (folder / "kept").mkdir()
    (folder / "model.ckpt").rename(folder / "kept" / "it")
    (folder / "model.ckpt").symlink_to("kept/it")
    metastruct.load(folder)


# What a model file may hold


def sealed(path: Path, content: bytes) -> None:
    """With the right sum."""
    path.write_bytes(content)
    path.with_name(path.name + ".sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")


def model_with(path: Path, change: Callable[[dict], Any]) -> bytes:
    kept = torch.load(path, weights_only=True)
    buffer = io.BytesIO()
    torch.save(change(kept), buffer)
    return buffer.getvalue()


def first(kept: dict, change: Callable[[torch.Tensor], Any]) -> dict:
    name = next(name for name in kept["model"] if name.endswith("weight"))
    return kept | {"model": kept["model"] | {name: change(kept["model"][name])}}


def scaled(kept: dict, factor: float) -> dict:
    name = "dynamics.state_std"
    return kept | {"model": kept["model"] | {name: factor * kept["model"][name]}}


MODELS: dict[str, Callable[[dict], Any]] = {
    "a list": lambda kept: [1, 2],
    "another training": lambda kept: kept | {"training": "pendulum-svd5-seed7-00000000"},
    "no training": lambda kept: {name: value for name, value in kept.items() if name != "training"},
    "a training that is a tensor": lambda kept: kept | {"training": torch.ones(3)},
    "no codes": lambda kept: {name: value for name, value in kept.items() if name != "codes"},
    "another shape": lambda kept: first(kept, lambda t: t[:, :1]),
    "more axes": lambda kept: first(kept, lambda t: t[None]),
    "integers": lambda kept: first(kept, lambda t: t.long()),
    "complex numbers": lambda kept: first(kept, lambda t: t + 1j * t),
    "halves": lambda kept: first(kept, lambda t: t.half()),
    "truth values": lambda kept: first(kept, lambda t: t > 0),
    "sparse": lambda kept: first(kept, lambda t: t.to_sparse()),
    "a word": lambda kept: first(kept, lambda t: "weight"),
    "NaN": lambda kept: first(kept, lambda t: t * torch.nan),
    "infinity": lambda kept: first(kept, lambda t: t + torch.inf),
    "one part too few": lambda kept: kept | {"model": dict(list(kept["model"].items())[1:])},
    "one part too many": lambda kept: kept | {"model": kept["model"] | {"more": torch.ones(2)}},
    "no parts": lambda kept: kept | {"model": {}},
    "a tensor for parts": lambda kept: kept | {"model": torch.ones(2)},
    "codes of another size": lambda kept: kept | {"codes": kept["codes"][:, :1]},
    "codes of no task": lambda kept: kept | {"codes": kept["codes"][:0]},
    "codes of more tasks": lambda kept: kept | {"codes": kept["codes"].repeat(2, 1)},
    "codes of fewer tasks": lambda kept: kept | {"codes": kept["codes"][:-1]},
    "codes that are NaN": lambda kept: kept | {"codes": kept["codes"] * torch.nan},
    "noise below zero": lambda kept: kept | {"noise": -torch.ones(2)},
    "noise that is a word": lambda kept: kept | {"noise": "loud"},
    "a history of words": lambda kept: kept | {"history": ["a", "b"]},
    "seconds that are none": lambda kept: kept | {"seconds": None},
    "a divergence that is a word": lambda kept: kept | {"diverged_at": "here"},
    "a divergence that never comes": lambda kept: kept | {"diverged_at": float("inf")},
    "a divergence before the beginning": lambda kept: kept | {"diverged_at": -5},
    "seconds of many digits": lambda kept: kept | {"seconds": 10**400},
    "seconds without end": lambda kept: kept | {"seconds": float("inf")},
    "seconds below zero": lambda kept: kept | {"seconds": -1.0},
    "seconds that are a word": lambda kept: kept | {"seconds": "12"},
    "a history without end": lambda kept: kept | {"history": [(float("inf"), 1.0)]},
    "a history that is a tensor": lambda kept: kept | {"history": torch.ones(3, 2)},
    "a number repeated for ever": lambda kept: kept | {"codes": torch.ones(1).expand(10**9, 2)},
    "a number repeated as often as it must be": lambda kept: first(kept, lambda t: t[:1, :1].clone().expand(t.shape)),
    "numbers that are nowhere": lambda kept: kept | {"codes": kept["codes"].to("meta"), "diverged_at": 1},
    "a scale of zero": lambda kept: scaled(kept, 0.0),
    "a scale below zero": lambda kept: scaled(kept, -1.0),
}


@pytest.mark.few(8)
@pytest.mark.parametrize("change", MODELS.values(), ids=MODELS)
def test_a_model_file_of_something_else_is_refused_in_one_line(trap, folder, change):
    sealed(folder / "model.ckpt", model_with(folder / "model.ckpt", change))
    with nothing_outside(folder, trap):
        refused(lambda: metastruct.load(folder))


COMMON = ("a list", "another training", "another shape", "NaN")  # one of each way to see it
ALL = [name if name in COMMON else pytest.param(name, marks=pytest.mark.torture) for name in MODELS]


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ALL)
def test_a_model_file_of_something_else_is_made_again_in_a_training(tiny, first_run, tmp_path, name, capsys):
    shutil.copytree(first_run[1], tmp_path / "outputs")
    (training,) = (tmp_path / "outputs" / "training").iterdir()
    whole = (training / "model.ckpt").read_bytes()
    sealed(training / "model.ckpt", model_with(training / "model.ckpt", MODELS[name]))
    shutil.rmtree(tmp_path / "outputs" / first_run[0].path.name)
    again = run(tiny(tmp_path / "outputs"))
    assert "it is made again" in capsys.readouterr().out.replace("\n", " ")
    ours, theirs = (torch.load(io.BytesIO(one), weights_only=True) for one in (again.model.read_bytes(), whole))
    assert all(torch.equal(ours["model"][name], theirs["model"][name]) for name in theirs["model"])
    assert values_of(again.records) == values_of(first_run[0].records)


def test_an_index_in_a_model_file_is_that_of_its_class(tiny, tmp_path):
    folder = run(tiny(tmp_path / "outputs", "system=damped_oscillator")).path
    metastruct.load(folder)
    whole = (folder / "model.ckpt").read_bytes()
    for change in (lambda t: t + 1000, lambda t: -1 - t, lambda t: t.double()):
        sealed(folder / "model.ckpt", whole)

        def changed(kept: dict, change: Callable = change) -> dict:
            model = {name: t if t.is_floating_point() else change(t) for name, t in kept["model"].items()}
            assert any(not t.is_floating_point() for t in kept["model"].values())
            return kept | {"model": model}

        sealed(folder / "model.ckpt", model_with(folder / "model.ckpt", changed))
        refused(lambda: metastruct.load(folder))


def values_of(records: Path) -> list[tuple]:
    with open(records, newline="") as file:
        return [(row["task"], row["component"], row["metric"], row["value"]) for row in csv.DictReader(file)]


def packed(path: Path) -> bytes:
    """The same parts, and one that would fill the memory, in a few kilobytes."""
    small = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr("more", bytes(10**7))
    return small.getvalue()


def test_a_payload_in_any_form_of_a_model_file_is_not_executed(folder, trap):
    owned = trap / "owned"
    plain, zipped = pickle.dumps(Payload(owned)), io.BytesIO()
    with zipfile.ZipFile(folder / "model.ckpt") as old, zipfile.ZipFile(zipped, "w") as new:
        for name in old.namelist():
            new.writestr(name, plain if name.endswith("data.pkl") else old.read(name))
    legacy = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + plain
    pickle.loads(plain)
    assert owned.exists()  # the trap works where it is let
    owned.unlink()
    for content in (plain, zipped.getvalue(), legacy, packed(folder / "model.ckpt"), b"", b"x", b"PK\x03\x04"):
        sealed(folder / "model.ckpt", content)
        with nothing_outside(folder, trap):
            assert "holds no model" in refused(lambda: metastruct.load(folder))


# What an adaptation and a rollout may be told


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("adaptation", "settings"),
    [
        *(("../../system/pendulum", {}), ("/etc/passwd", {}), ("", {}), ("gradient\0", {})),
        *((None, {"_target_": "os.system"}), (None, {"_args_": ["x"]}), (None, {"_partial_": True})),
        *((None, {"name": "gradient"}), ("gradient", {"facts": {}}), ("gradient", {"steps": -1})),
        *(("gradient", {"steps": "many"}), ("gradient", {"steps": {"_target_": "os.getpid"}})),
        *(("gradient", {"learning_rate": float("nan")}), ("gradient", {"learning_rate": "${oc.env:HOME}"})),
        *((None, {"damping": float("nan")}), (None, {"steps": 1.5}), (None, {"steps": True})),
    ],
)
def test_an_adaptation_takes_its_own_settings_alone(first_run, trap, adaptation, settings):
    model = metastruct.load(first_run[0].path)
    x = np.random.default_rng(0).normal(size=(5, 2))
    with nothing_outside(first_run[0].path, trap):
        refused(lambda: model.adapt(x, x, adaptation, **settings))


class Thing:
    """An argument that would act if it were asked for its numbers in another way than numpy's."""

    def __reduce__(self) -> Any:
        raise AssertionError

    def __float__(self) -> float:
        return 1.0


@pytest.mark.few(3)
@pytest.mark.parametrize("x", [{}, {1.0: 2}, [Thing(), Thing()], "1 2", b"12", None, lambda: 0, [[], [1]], object()])
def test_what_is_no_array_is_no_state(first_run, trap, x):
    model = metastruct.load(first_run[0].path)
    member = model.adapt(np.zeros((3, 2)), np.zeros((3, 2)))
    for call in (
        member.vector_field,
        member.energy,
        lambda x: member.rollout(x, [0, 1]),
        lambda x: member.rollout([0, 0], x),
        lambda x: model.adapt(x, x),
    ):
        with nothing_outside(first_run[0].path, trap):
            refused(lambda call=call: call(x))


# Scripts that read folders


@pytest.mark.few(3)
@pytest.mark.parametrize(
    "attack",
    [
        *("payload", "laughs", "link", "pickle in the archive", "object archive", "other shapes", "no archive"),
        "foreign model",
    ],
)
def test_a_study_leaves_a_stranger_out_with_one_line(folder, trap, tmp_path, capsys, attack):
    config, archive = folder / "config.yaml", folder / "evaluation.npz"
    arrays = dict(np.load(archive))
    if attack == "payload":
        tree = yaml.safe_load(config.read_text())
        put(tree, "net.width", payloads(trap)["a path"])
        config.write_text(yaml.safe_dump(tree))
    elif attack == "laughs":
        config.write_text(bomb() + "\n" + config.read_text())
    elif attack == "link":
        archive.unlink()
        archive.symlink_to(trap / "secret")
    elif attack == "pickle in the archive":
        archive.write_bytes(pickle.dumps(Payload(trap / "owned")))
    elif attack == "object archive":
        np.savez(archive, **arrays | {"query": np.array([Payload(trap / "owned")], dtype=object)})
    elif attack == "other shapes":
        np.savez(archive, **arrays | {"query": arrays["query"][:, :, :, :1]})
    elif attack == "no archive":
        archive.write_bytes(b"x")
    else:
        sealed(folder / "model.ckpt", model_with(folder / "model.ckpt", MODELS["another training"]))
    study = LongHorizon(["rk4"], [20], periods=1, trajectories=1)
    with nothing_outside(folder, trap):
        assert not study.study([RunFolder(folder)], tmp_path / "cells", tmp_path / "out")
    assert "is left out" in capsys.readouterr().out.replace("\n", " ")
    assert not list((tmp_path / "cells").glob("*.csv"))


METRICS = {
    "a list": "[]",
    "deep": "[" * 100_000,
    "a word": '"x"',
    "no JSON": "{",
    "of other records": '{"records": 1}',
    "binary": "\0",
}


@pytest.mark.parametrize("text", METRICS.values(), ids=METRICS)
def test_metrics_that_are_none_are_those_of_no_finished_run(folder, text):
    (folder / "metrics.json").write_text(text)
    assert RunFolder(folder).finished() is None


def test_a_script_tells_a_folder_without_a_finished_run_in_one_line(folder, bare_environment):
    (folder / "metrics.json").write_text("[]")
    process = begin([SCRIPTS / "long_horizon.py", folder], folder, bare_environment).result()
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert "train.py prints it at its end" in process.stderr


# Reports of a stranger's records

NASTY = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a|b",
    "**bold**",
    "x\n\n\\input{/etc/passwd}",
    "$\\frac{",
    "\\write18{touch owned}",
    "=cmd|' /C calc'!A0",
    "[a](javascript:alert(1))",
    "`x`",
    "&lt;b&gt;",
    "%{}_^~#",
)


def table_of(folder: Path, name: str) -> Path:
    """A small table whose runs have this method."""
    line = {
        "run": "r0",
        "seed": 0,
        "system": "pendulum",
        "method": name,
        "dynamics": name,
        "label": name,
        "shots": "200",
        "steps": "300",
        "adaptation": "gradient",
        "start": "mean",
        "codes": "evolving",
        "modulation": "svd",
        "rank": "5",
        "lambda_z": "0.1",
        "lambda_phi": "0.01",
        "base_parameters": "800",
        "commit": name,
        "learner": "auto_decoding",
        "training_steps": "4000",
        "machine": name,
        "hypernetwork_parameters": "20",
        "training_seconds": "4",
        "training_diverged_at": "",
    }
    rows = [
        {"run": "r0", "task": task, "domain": "pendulum", "component": "", "metric": metric, "value": 0.1 + task}
        for metric in ("field_error", "trajectory_error")
        for task in (0, 1)
    ]
    for file, lines in (("runs.csv", [line]), ("records.csv", rows)):
        (folder / "main").mkdir(parents=True, exist_ok=True)
        with open(folder / "main" / file, "w", newline="") as out:
            writer = csv.DictWriter(out, [*lines[0]])
            writer.writeheader()
            writer.writerows(lines)
    return folder / "main"


@pytest.mark.few(4)
@pytest.mark.parametrize("name", NASTY)
def test_names_in_a_report_stay_words(tmp_path, trap, name):
    folder = tmp_path / "reference"
    main = table_of(folder, name)
    with nothing_outside(folder, trap):
        page = report(folder, lambda _: None).read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert 'javascript:alert(1)"' not in page
    markdown, latex = (main / "table.md").read_text(), (main / "table.tex").read_text()
    body = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(body) == 3
    assert len({line.count("|") for line in body}) == 1
    assert "<" not in markdown
    assert "](" not in markdown
    assert not [cell for row in cells(main) for cell in row if executed(cell)]
    assert "\n\n" not in latex.strip()
    for command in ("\\input{", "\\write18", "\\frac"):
        assert command not in latex


def cells(folder: Path) -> list[list[str]]:
    """Of every CSV that a report wrote."""
    made = [path for path in folder.glob("*.csv") if path.name not in ("runs.csv", "records.csv")]
    assert made
    return [row for path in made for row in csv.reader(path.open(newline=""))]


def executed(cell: str) -> bool:
    """By a spreadsheet."""
    return cell[:1] in [*"=+-@\t\r"] and not re.fullmatch(r"[+-]?(\d+(\.\d*)?(e[+-]?\d+)?|inf|nan)|-", cell)


@pytest.mark.parametrize("name", ["=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(1)", "\t=1", "\r=1"])
def test_a_formula_in_a_cell_is_text_and_a_number_stays_one(tmp_path, name):
    assert executed(name)
    write_records(tmp_path / "records.csv", [dataclasses.replace(RECORD, run=name)])
    (tmp_path / "lines.csv").write_text(as_csv([{"name": name, "number": -1.5, "text": "-1e-3", "none": "-"}]))
    with open(tmp_path / "records.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["run"] == f"'{name}"
    assert row["value"] == "-0.5"
    with open(tmp_path / "lines.csv", newline="") as file:
        (line,) = csv.DictReader(file)
    assert line == {"name": f"'{name}", "number": "-1.5", "text": "-1e-3", "none": "-"}
    again = as_csv([line])
    assert again == (tmp_path / "lines.csv").read_bytes().decode()  # an apostrophe is enough


RECORD = Record("main", "r", "s", "d", "m", "l", "h", 0, 0, 1, 1, "a", "mean", "", "field_error", -0.5)


@pytest.mark.few(8)
@pytest.mark.parametrize("word", ["", "=1", "a/b", "../x", "a\nb", "<b>", "a?b", "x" * 65, "[/bold]", "#1"])
@pytest.mark.parametrize("key", ["tag", "logger.project"])
def test_a_word_for_trackers_and_tables_is_refused_unless_it_is_a_word(tiny, tmp_path, key, word):
    cfg = tiny(tmp_path / "outputs")
    OmegaConf.update(cfg, key, word)
    assert refused(lambda: run(cfg)).startswith(f"{key} must be up to 64 letters")
    assert not (tmp_path / "outputs").exists()


def test_a_folder_whose_name_is_markup_of_the_console_is_told_as_it_is(tiny, tmp_path, capsys):
    folder = run(tiny(tmp_path / "a[/dim]b[bold]:100:"))
    assert folder.finished()
    assert f"results in {folder.path}" in capsys.readouterr().out


def test_a_folder_of_a_table_names_no_command_in_latex(tmp_path):
    folder = tmp_path / "x}\\input{secret"
    write_lines(folder, [{"a": "b"}], "title", "*note* <b>|")
    assert "\\input" not in (folder / "table.tex").read_text()
    assert "<b>" not in (folder / "table.md").read_text()


def spoil(path: Path, change: Callable[[list[list[str]]], Any]) -> None:
    with open(path, newline="") as file:
        lines = list(csv.reader(file))
    change(lines)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(lines)


SPOILT: dict[str, Callable[[Path], Any]] = {
    "a number that is a word": lambda main: spoil(main / "runs.csv", lambda lines: lines[1].__setitem__(11, "x")),
    "fewer columns": lambda main: spoil(
        main / "runs.csv", lambda lines: [line.pop() for line in lines for _ in range(9)]
    ),
    "no header": lambda main: (main / "records.csv").write_text(""),
    "an endless field": lambda main: (main / "records.csv").write_text(
        "run,metric\n" + "x" * 200_000 + ",field_error\n"
    ),
    "a number of many digits": lambda main: spoil(
        main / "records.csv", lambda lines: lines[1].__setitem__(1, "1" * 5000)
    ),
    "binary": lambda main: (main / "runs.csv").write_bytes(b"\xff\xfe\0"),
    "provenance that is a list": lambda main: (main / "provenance.json").write_text("[]"),
    "provenance without end": lambda main: (main / "provenance.json").write_text("[" * 100_000),
    "an adaptation from elsewhere": lambda main: spoil(
        main / "runs.csv", lambda lines: lines[1].__setitem__(8, "../../x")
    ),
}


@pytest.mark.parametrize("change", SPOILT.values(), ids=SPOILT)
def test_records_that_are_none_are_told_in_one_line_and_the_rest_is_reported(tmp_path, trap, change):
    folder, said = tmp_path / "reference", []
    change(table_of(folder, "svd(5)"))
    with nothing_outside(folder, trap):
        report(folder, said.append)
    assert all("\n" not in line for line in said)
    assert any(line.startswith("main") for line in said)


@pytest.mark.parametrize("kind", ["png", "table", "folder"])
def test_a_report_embeds_nothing_from_outside(tmp_path, trap, kind):
    folder = tmp_path / "reference"
    table_of(folder, "svd(5)")
    (folder / "benchmark").mkdir()
    (folder / "benchmark" / "table.md").write_text("| a |\n|---|\n| b |\n")
    if kind == "png":
        (folder / "benchmark" / "x.png").symlink_to(trap / "secret")
    elif kind == "table":
        (folder / "benchmark" / "table.md").unlink()
        (folder / "benchmark" / "table.md").symlink_to(trap / "secret")
    else:
        (folder / "local_rank").symlink_to(trap)
    with nothing_outside(folder, trap):
        assert "leads out of it" in refused(lambda: report(folder, lambda _: None))


def test_a_script_tells_a_link_in_one_line(tmp_path, trap, bare_environment):
    (tmp_path / "reference" / "search").mkdir(parents=True)
    (tmp_path / "reference" / "search" / "table.md").symlink_to(trap / "secret")
    process = begin([SCRIPTS / "report.py", tmp_path / "reference"], tmp_path, bare_environment).result()
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert "leads out of it" in process.stderr.splitlines()[-1]


# What lies in the outputs folder


FOREIGN_DATA: dict[str, Callable[[dict], Any]] = {
    "other shapes": lambda a: a | {"states": a["states"][:, :, :, :1]},
    "other times": lambda a: a | {"times": 2 * a["times"]},
    "NaN": lambda a: a | {"states": a["states"] * np.nan},
    "fewer tasks": lambda a: {name: value if name == "times" else value[:-1] for name, value in a.items()},
    "members of another kind": lambda a: a | {"parameters": 1.5 * a["parameters"]},
    "members of another seed": lambda a: {name: part if name == "times" else part[::-1] for name, part in a.items()},
    "other starts": lambda a: {name: part[:, ::-1] if part.ndim == 4 else part for name, part in a.items()},
    "something beside it": lambda a: a | {"more": np.ones(2)},
    "another law": lambda a: a | {"derivatives": -a["derivatives"]},
    "objects": lambda a: a | {"states": np.array([Thing])},
    "single precision": lambda a: {name: value.astype(np.float32) for name, value in a.items()},
    "no states": lambda a: {name: value for name, value in a.items() if name != "states"},
}


@pytest.mark.few(3)
@pytest.mark.parametrize("change", FOREIGN_DATA.values(), ids=FOREIGN_DATA)
def test_foreign_data_in_the_cache_are_simulated_again_with_a_note(tiny, first_run, tmp_path, change, capsys):
    outputs = tmp_path / "outputs"
    shutil.copytree(first_run[1] / "data", outputs / "data")
    for path in (outputs / "data").glob("*-train-*.npz"):
        buffer = io.BytesIO()
        np.savez(buffer, **change(dict(np.load(path))))
        sealed(path, buffer.getvalue())
    again = run(tiny(outputs))
    assert "is simulated again" in capsys.readouterr().out.replace("\n", " ")
    assert values_of(again.records) == values_of(first_run[0].records)


def test_a_lock_that_is_a_link_overwrites_nothing(tiny, first_run, tmp_path, trap):
    outputs = tmp_path / "outputs"
    (outputs / "data").mkdir(parents=True)
    (outputs / "data" / ".lock").symlink_to(trap / "secret")
    assert "must be a file, got a link" in refused(lambda: run(tiny(outputs)))
    assert (trap / "secret").read_text() == "name: secret\n"


def test_a_checkpoint_of_another_training_is_set_aside_with_a_note(tiny, first_run, tmp_path, capsys):
    outputs = tmp_path / "outputs"
    training = outputs / "training" / next((first_run[1] / "training").iterdir()).name
    training.mkdir(parents=True)
    buffer = io.BytesIO()
    torch.save({"learner": {"layout": 3}, "training": "pendulum-svd5-seed7-00000000"}, buffer)
    write_checked(training / "step-000000010.ckpt", buffer.getvalue())
    again = run(tiny(outputs))
    assert "is set aside as step-000000010.ckpt.damaged" in capsys.readouterr().out.replace("\n", " ")
    assert values_of(again.records) == values_of(first_run[0].records)
    assert json.loads(again.metrics.read_text())["training_steps"] == 20
