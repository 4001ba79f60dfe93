"""Measured trajectories through the whole of it: a command, a run, the same from Python."""

from __future__ import annotations

import json
import os
import pkgutil
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import metastruct
from metastruct.commands import main, subcommands
from metastruct.config.facts import CONF, settings_of
from metastruct.config.schema import ConfigError
from metastruct.data.tables import formats
from metastruct.running.experiment import run
from metastruct.running.model_file import Foreign
from metastruct.running.run import Run, configuration_of
from metastruct.running.trained import Trained
from metastruct.runs.files import read_checked
from metastruct.runs.folder import RunFolder

EXAMPLE = CONF.parent / "examples" / "pendulums.csv"
WORDS = ("data=files", "data.states=[q,p]", "data.labels=[length]")
SETTINGS = {"net.width": 8, "modulation.code_dim": 2, "trainer.steps_per_epoch": 10}


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    """A run on the example, its file and its outputs folder."""
    folder = tmp_path_factory.mktemp("measured")
    path = Path(shutil.copy(EXAMPLE, folder / "pendulums.csv"))
    return (
        run(tiny(folder / "outputs", *WORDS, f"data.path={path}", "data.units={t: s, q: rad}")),
        path,
        folder / "outputs",
    )


def trainings(outputs: Path) -> int:
    return len([*(outputs / "training").iterdir()])


def test_a_run_on_files_measures_what_was_held_out_and_says_what_was_done(made):
    folder, _, _ = made
    metrics = json.loads(folder.metrics.read_text())
    assert len(metrics["trajectory_error"]["per_task"]) == 2
    assert metrics["observed_field_error"]["mean"] > 0
    report = folder.report.read_text()
    assert "10 members, 40 trajectories, 800 instants of q, p" in report
    assert "held out: the members" in report
    assert "units: t in s, q in rad" in report


def test_the_run_is_loaded_without_its_file(made, tmp_path):
    folder, path, _ = made
    there = Path(shutil.copytree(folder.path, tmp_path / folder.path.name))
    model = metastruct.load(there)
    assert path.name in configuration_of(RunFolder(there)).data.path
    times = np.linspace(0, 1, 30)
    states = np.stack([np.cos(times), -np.sin(times)], -1)
    assert np.isfinite(model.adapt(states, times=times).vector_field([0.0, 0.0])).all()
    assert next(step for step, _ in model.history) > 0


def test_no_number_of_a_run_depends_on_units(tiny, tmp_path):
    """Neither of one component against another, nor of time, nor where zero is."""
    table = pd.read_csv(EXAMPLE)
    table.to_csv(tmp_path / "plain.csv", index=False)
    for names, unit in {("t",): 2.0**-30, ("q", "dq"): 2.0**-20, ("p", "dp"): 2.0**20, ("dq", "dp"): 2.0**30}.items():
        table[[*names]] *= unit
    table.to_csv(tmp_path / "scaled.csv", index=False)
    metrics = []
    for name in ("plain", "scaled"):
        words = (*WORDS, f"data.path={tmp_path / name}.csv", "optimizer=adam", "trainer.steps=30")
        folder = run(tiny(tmp_path / "outputs", *words))
        kept = torch.load(folder.model, weights_only=True)
        rows = [line.split(",")[-3:] for line in folder.records.read_text().splitlines()[1:]]
        metrics.append((kept["history"], {(c, m): float(v) for c, m, v in rows if m != "energy_drift"}))
    (history, one), (other_history, other) = metrics
    assert history == other_history, "the same bits"
    assert one.keys() == other.keys()
    assert {("q", "trajectory_error"), ("", "observed_field_error"), ("p", "observed_field_error")} <= one.keys()
    for key in one:
        np.testing.assert_allclose(other[key], one[key], rtol=1e-6, atol=1e-12, err_msg=str(key))


def test_an_edited_file_is_another_training_and_one_that_was_moved_or_touched_is_none(made, tiny, tmp_path, capsys):
    folder, path, outputs = made
    before = trainings(outputs)
    moved = Path(shutil.copy(path, tmp_path / "elsewhere.csv"))
    os.utime(moved)
    same = run(tiny(outputs, *WORDS, f"data.path={moved}", "data.units={q: deg}"))
    assert same.path == folder.path
    assert trainings(outputs) == before
    text = moved.read_text()
    moved.write_text(text.replace("0.431056", "0.431057"))
    assert moved.read_text() != text
    other = run(tiny(outputs, *WORDS, f"data.path={moved}"))
    assert other.path != folder.path
    assert trainings(outputs) == before + 1


@pytest.mark.torture
def test_holding_out_others_is_another_training_and_another_support_is_none(made, tiny):
    folder, path, outputs = made
    before = trainings(outputs)
    assert run(tiny(outputs, *WORDS, f"data.path={path}", "data.support_trajectories=1")).path != folder.path
    assert trainings(outputs) == before
    held = run(tiny(outputs, *WORDS, f"data.path={path}", "data.test_names=[rod 1,rod 2,rod 3]"))
    assert len(json.loads(held.metrics.read_text())["trajectory_error"]["per_task"]) == 3
    assert trainings(outputs) == before + 1


def test_where_nothing_is_held_out_the_model_is_all(made, tiny):
    _, path, outputs = made
    folder = run(tiny(outputs, *WORDS, f"data.path={path}", "data.hold_out=none"))
    assert not folder.metrics.exists()
    assert metastruct.load(folder.path).state_dim == 2


@pytest.mark.few(5)
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("data.path=null",), "data=files needs data.path, the file or the folder of trajectories, got null"),
        (("data.path=nix.csv",), "nix.csv: must be there, got no such file or folder"),
        (("data.states=[]",), "data=files needs data.states, the columns of the state"),
        (("data.states=[q,x]",), "pendulums.csv: must have the column x of the states"),
        (("data.states=[q]", "dynamics=hamiltonian"), "Hamiltonian dynamics needs a state .* of even size, got 1"),
        (("data.inputs=[length]", "data.labels=[]", "dynamics=hamiltonian"), "takes no inputs, got 1"),
        (("data.content=0123456789abcdef",), "must stay as it is while it is read, got another content"),
        (("data.units={x: m}",), "units must be those of the columns"),
        (("data.test_fraction=1.5",), "data.test_fraction must be above 0 and below 1, got 1.5"),
        (("data.folds=1",), "data.folds must be at least 2, a whole number, got 1"),
        (("data.folds=3", "data.fold=3"), "data.fold must be from 0 to data.folds - 1 = 2, got 3"),
        (
            ("data.test_names=[rod_1]",),
            "data.test_names names the member rod_1, which is not there; did you mean rod 1",
        ),
        (("system=pendulum",), "data=files knows no law, got system=pendulum; leave system out, or use data=simulated"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_makes_no_sense_is_told_before_anything_is_written(made, tiny, tmp_path, words, told):
    with pytest.raises((ConfigError, ValueError), match=told):
        run(tiny(tmp_path / "outputs", *WORDS, f"data.path={made[1]}", *words))
    assert not list(tmp_path.glob("outputs/*/config.yaml"))


STRANGE = {
    "words": "a word",
    "another size": {"centre": [0.0], "spread": [1.0], "time": 1.0, "input_centre": None, "input_spread": None},
    "not positive": {"centre": [0.0, 0], "spread": [1.0, -1], "time": 1.0, "input_centre": None, "input_spread": None},
    "not finite": {
        "centre": [0.0, 0],
        "spread": [1.0, 1],
        "time": float("nan"),
        "input_centre": None,
        "input_spread": None,
    },
    "nested": {"centre": [[0.0, 0]], "spread": [1.0, 1], "time": 1.0, "input_centre": None, "input_spread": None},
    "missing": {"centre": [0.0, 0]},
}


@pytest.mark.parametrize("units", STRANGE.values(), ids=STRANGE.keys())
def test_units_of_a_stranger_are_refused(made, units):
    folder, _, _ = made
    kept = torch.load(folder.model, weights_only=True)
    config = Run.read(folder).config
    assert Trained.made(config, kept).model.dynamics.time_scale != 1
    with pytest.raises(Foreign, match="units"):
        Trained.made(config, kept | {"units": units})


# From Python


@pytest.fixture(scope="module")
def family():
    return metastruct.Family.from_frame(pd.read_csv(EXAMPLE), states=["q", "p"], labels=["length"], units={"q": "rad"})


def test_a_family_is_fitted_from_a_frame_and_the_run_is_one_like_any_other(family, tmp_path, capsys):
    model = metastruct.fit(family, rank=2, steps=20, outputs=tmp_path, settings=SETTINGS, progress=False)
    assert capsys.readouterr().out == ""
    assert [step for step, _ in model.history] == [10, 20]
    assert read_checked(RunFolder(model.folder).family) == family.as_npz()
    again = metastruct.fit(family, rank=2, steps=20, outputs=tmp_path, settings=SETTINGS)
    assert "trained before" in capsys.readouterr().out.replace("\n", " ")
    assert again.folder == model.folder
    one = family.members[0].trajectories[0]
    fields = [each.adapt(one.states, one.derivatives).vector_field(one.states) for each in (model, again)]
    assert np.array_equal(*fields)
    other = metastruct.fit(family, rank=2, steps=20, outputs=tmp_path, settings=SETTINGS, seed=1, progress=False)
    assert other.folder != model.folder
    assert np.array_equal(
        metastruct.load(model.folder).adapt(one.states, one.derivatives).code,
        model.adapt(one.states, one.derivatives).code,
    )


@pytest.mark.torture
def test_a_family_of_noisy_states_alone_at_rare_instants_is_fitted_and_knows_its_error(tmp_path):
    """Nobody states their noise, and a twin tells of the errors that test functions average away."""
    rng = np.random.default_rng(0)

    def path(stiffness):
        t, w = np.sort(rng.uniform(0, 8, 80)), np.sqrt(stiffness)
        x = rng.uniform(0.5, 1.5) * np.stack([np.cos(w * t), -w * np.sin(w * t)], axis=1)
        return t, x + 0.01 * rng.normal(size=x.shape)

    springs = {f"spring {number}": [path(k), path(k)] for number, k in enumerate(rng.uniform(0.5, 2, 4))}
    family = metastruct.Family.from_arrays(springs, states=["q", "p"])
    words = {"net.width": 8, "objective": "weak", "optimizer": "soap", "locality": "none", "modulation.code_dim": 2}
    model = metastruct.fit(family, test=["spring 3"], steps=20, outputs=tmp_path, settings=words, progress=False)
    times, states = springs["spring 3"][0]
    member = model.adapt(states, times=times)
    assert np.isfinite(member.code).all()
    assert (member.covariance.diagonal() > 0).all()


@pytest.mark.torture
def test_the_run_of_a_family_from_memory_is_evaluated_by_the_words_of_train(family, tiny, tmp_path):
    model = metastruct.fit(family, test=["rod 1"], steps=20, outputs=tmp_path, settings=SETTINGS, progress=False)
    cfg = configuration_of(RunFolder(model.folder))
    cfg.shots, cfg.evaluation.figures, cfg.rank = 7, False, None
    before = trainings(tmp_path)
    folder = run(cfg)
    assert folder.path != model.folder
    assert trainings(tmp_path) == before
    assert len(json.loads(folder.metrics.read_text())["trajectory_error"]["per_task"]) == 1


def test_a_fit_finds_the_law_whatever_the_units(family, tmp_path):
    """Trained on pendulums of seconds and of nanoseconds, the same field."""
    fields = []
    for second, state in ((1.0, 1.0), (1e-9, 1e6)):
        members = {
            member.name: [
                {
                    "times": one.times * second,
                    "states": one.states * state,
                    "derivatives": one.derivatives * (state / second),
                }
                for one in member.trajectories
            ]
            for member in family.members
        }
        scaled = metastruct.Family.from_arrays(members, ["q", "p"])
        model = metastruct.fit(
            scaled, steps=100, outputs=tmp_path, settings=SETTINGS | {"net.width": 16}, progress=False
        )
        paths = scaled.members[0].trajectories
        member = model.adapt([one.states for one in paths], [one.derivatives for one in paths])
        field = member.vector_field(paths[0].states)
        rolled = member.rollout(paths[0].states[0], paths[0].times)
        error = np.linalg.norm(field - paths[0].derivatives) / np.linalg.norm(paths[0].derivatives)
        assert error < 0.3
        fields.append((field / (state / second), rolled / state))
    for one, other in zip(*fields, strict=True):
        np.testing.assert_allclose(one, other, rtol=0.05, atol=0.01)


def test_a_fit_that_was_stopped_goes_on_and_ends_with_the_same_numbers(family, tmp_path, monkeypatch):
    from metastruct.learners.learner import Learner

    arguments = {"steps": 40, "progress": False, "settings": SETTINGS | {"trainer.checkpoint_seconds": 0}}
    whole = metastruct.fit(family, outputs=tmp_path / "whole", **arguments)
    advance, steps = Learner.advance, []

    def stopped(learner: Learner) -> None:
        if learner.outer_step == 20 and len(steps) < 3:
            raise KeyboardInterrupt
        steps.append(learner.outer_step)
        advance(learner)

    monkeypatch.setattr(Learner, "advance", stopped)
    with pytest.raises(KeyboardInterrupt):
        metastruct.fit(family, outputs=tmp_path / "stopped", **arguments)
    steps.append(-1)
    resumed = metastruct.fit(family, outputs=tmp_path / "stopped", **arguments)
    assert steps == [0, 10, -1, 20, 30], "it did not begin again"
    assert resumed.history == whole.history
    assert resumed.folder.name == whole.folder.name
    states = [torch.load(each.folder / "model.ckpt", weights_only=True)["model"] for each in (whole, resumed)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def oscillator(times, scale=(1.0, 1.0), still=False) -> dict[str, np.ndarray]:
    t = np.asarray(times, dtype=float)
    x, slope = np.stack([np.sin(t), np.cos(t)], -1), np.stack([np.cos(t), -np.sin(t)], -1)
    if still:  # free motion
        x, slope = np.stack([3 * t, 3 + 0 * t], -1), np.stack([3 + 0 * t, 0 * t], -1)
    return {"times": t, "states": x * scale, "derivatives": slope * scale}


ODD = {
    "a component that never moves": [[oscillator(np.arange(20) / 5, still=True)]] * 3,
    "components of scales 1e-6 and 1e6": [[oscillator(np.arange(20) / 5, (1e-6, 1e6))]] * 3,
    "trajectories of two instants": [[oscillator([n / 3, n / 3 + 0.1]) for n in range(9)]] * 3,
    "one member": [[oscillator(np.arange(20) / 5)]],
    "one instant": [[oscillator([n / 3]) for n in range(9)]] * 2,
    "any lengths and spacings": [[oscillator(np.cumsum(np.arange(1, n)) ** 1.5 / 9) for n in (2, 5, 9)]] * 2,
    "times far from zero": [[oscillator(np.arange(20) / 5 + 1.7e9)]] * 2,
}


@pytest.mark.few(2)
@pytest.mark.parametrize("members", ODD.values(), ids=ODD.keys())
def test_odd_data_are_learned_and_their_members_adapted(tmp_path, members):
    family = metastruct.Family.from_arrays(members, ["q", "p"])
    model = metastruct.fit(family, steps=20, outputs=tmp_path, settings=SETTINGS, progress=False)
    paths = family.members[0].trajectories
    member = model.adapt([one.states for one in paths], [one.derivatives for one in paths])
    assert np.isfinite([loss for _, loss in model.history]).all()
    assert model.history[-1][1] < model.history[0][1]
    assert np.isfinite(member.vector_field(paths[0].states)).all()
    assert np.isfinite(member.rollout(paths[0].states[0], [0.0, 0.5, 1.0])).all()


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"dynamics": "hamilton"}, "dynamics=hamilton is not known; did you mean hamiltonian"),
        ({"modulation": "svdd"}, "modulation=svdd is not known; did you mean svd"),
        ({"modulation": "shift", "rank": 3}, "rank=3 has no meaning for modulation=shift"),
        ({"rank": 0}, "rank must be at least 1, got 0"),
        ({"settings": {"net.wdth": 3}}, "net.wdth is not a setting"),
        ({"test": 2.0}, "test_fraction must be above 0 and below 1, got 2.0"),
        ({"test": ["rod 77"]}, "names the member rod 77, which is not there"),
        ({"test": "rod 1"}, "test must be a fraction, or a list of names"),
    ],
    ids=str,
)
def test_a_fit_that_makes_no_sense_is_refused_in_one_line_and_leaves_nothing(family, tmp_path, arguments, told):
    with pytest.raises(ValueError, match=told) as error:
        metastruct.fit(family, outputs=tmp_path, **arguments)
    assert "\n" not in str(error.value)
    assert not [path for path in tmp_path.glob("*/*") if path.name == "config.yaml"]


def test_what_is_no_family_is_refused():
    with pytest.raises(ValueError, match="fit needs a Family, got a DataFrame; make one by"):
        metastruct.fit(pd.DataFrame())


# The command


def test_inspect_shows_what_there_is_and_draws_a_picture(tmp_path, capsys):
    picture = tmp_path / "picture.png"
    main(
        ["inspect", str(EXAMPLE), "states=[q,p]", "data.labels=[length]", "units={t: s, q: rad}", f"--figure={picture}"]
    )
    out = " ".join(capsys.readouterr().out.split())
    for word in (
        "10 members, 40 trajectories, 800 instants",
        "rod 9",
        "1.422",
        "(s)",
        "rad/s",
        f"picture in {picture}",
    ):
        assert word in out
    assert "look at this: units are given of some columns" in out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_inspect_says_what_is_wrong(tmp_path, capsys):
    rng = np.random.default_rng(0)
    t = np.arange(60.0)
    states = np.stack([np.sin(t / 9), rng.normal(size=60), np.full(60, 3.0)], -1)
    t[40:] += 1e5
    table = pd.DataFrame(states, columns=["quiet", "loud", "still"]).assign(t=t)
    table.loc[20, "quiet"] = np.nan
    table.to_csv(tmp_path / "one.csv", index=False)
    main(["inspect", str(tmp_path / "one.csv")])
    out = " ".join(capsys.readouterr().out.split())
    for word in ("the noise of loud is", "still never moves", "have gaps and split it: line 22", "the longest spacing"):
        assert word in out
    assert "the noise of quiet" not in out
    assert "one member alone" in out
    assert (tmp_path / "one-inspected.png").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trian"], "metastruct trian is not known; did you mean train?"),
        (["inspect", "nix.csv"], "nix.csv: must be there"),
        (["inspect"], None),
        (["inspect", "a", "b"], "inspect takes PATH, got a b"),
        (["inspect", "a.csv", "state=[q]"], "state is not known; did you mean states"),
        (["inspect", "a.csv", "states=q"], r"states must be written as states=\[q,p\], got 'q'"),
        (["inspect", "a.csv", "--figures"], "--figure"),
        (["inspect", "a.csv", "--quick"], "--quick is not known"),
    ],
    ids=str,
)
def test_a_mistake_on_the_command_line_is_one_line(words, told, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    if told is None:
        main(words)
        assert "metastruct inspect PATH" in capsys.readouterr().out
        return
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert told.replace("\\", "") in error


def test_help_and_unknown_words_answer_at_once_without_what_is_heavy():
    check = (
        "import sys\nfrom metastruct.commands import main\nmain([])\nmain(['--help'])\n"
        "try:\n    main(['nix'])\nexcept SystemExit as end:\n    assert end.code == 2\n"
        "print(*({'torch', 'lightning', 'matplotlib', 'hydra', 'scipy', 'pandas'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
    for name, text in subcommands().items():
        assert f"{name} " in done.stdout
        assert text.endswith(".")


def test_the_entry_point_is_the_command(monkeypatch):
    project = tomllib.loads((CONF.parent / "pyproject.toml").read_text())["project"]
    module, _, name = project["scripts"]["metastruct"].partition(":")
    entry, words = getattr(import_module(module), name), []
    monkeypatch.setattr("metastruct.commands.main", words.append)
    entry(["inspect", "measured.csv"])
    assert words == [["inspect", "measured.csv"]]


def test_metastruct_train_is_train(capsys):
    """Which the tests of train.py run to the end."""
    assert 'main(["train", *sys.argv[1:]])' in (CONF.parent / "train.py").read_text()
    with pytest.raises(SystemExit) as end:
        main(["train", "net.wdth=3"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: net.wdth is not a setting; did you mean net.width or net.depth?\n"


def test_the_guide_names_every_setting_and_every_format():
    text = (CONF.parent / "docs" / "measured_data.md").read_text()
    hidden = {"_target_", "name"}
    assert not [name for name in settings_of("data", "files") if name not in hidden and f"data.{name}" not in text]
    modules = [import_module(f"{formats.__name__}.{module.name}") for module in pkgutil.iter_modules(formats.__path__)]
    assert all(f"`{suffix}`" in text for module in modules for suffix in module.SUFFIXES)
