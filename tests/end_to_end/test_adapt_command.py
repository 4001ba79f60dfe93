"""New members on the command line: adapted, explained, saved and forecast, and every mistake in one line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import metastruct
from metastruct.commands import main
from metastruct.config.facts import CONF
from metastruct.running.experiment import run
from metastruct.running.model_file import Foreign, labels_of
from metastruct.running.tracking import console
from metastruct.runs.files import read_checked

EXAMPLE = CONF.parent / "examples" / "pendulums.csv"


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("adapted")
    words = ("data=files", "data.states=[q,p]", "data.labels=[length]", f"data.path={EXAMPLE}")
    return run(tiny(folder / "outputs", *words, "data.units={t: s, q: rad}")).path


@pytest.fixture(scope="module")
def new(tmp_path_factory) -> Path:
    table = pd.read_csv(EXAMPLE)
    path = tmp_path_factory.mktemp("new") / "new.csv"
    table[table.member == "rod 3"].drop(columns=["length"]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def adapted(trained, new) -> Path:
    main(["adapt", str(trained), str(new)])
    return new.with_name("new-adapted")


def test_a_new_member_is_adapted_saved_and_drawn(adapted, trained, new, capsys):
    assert {path.name for path in adapted.iterdir()} == {"member.safetensors", "forecast.csv", "forecast.png"}
    table, seen = pd.read_csv(adapted / "forecast.csv"), pd.read_csv(new)
    np.testing.assert_allclose(table.t, seen.t)
    assert [*table] == ["member", "trajectory", "t", "q", "p", "q_std", "p_std"]
    first = table.groupby("trajectory").first()
    np.testing.assert_allclose(first[["q", "p"]], seen.groupby("trajectory").first()[["q", "p"]], rtol=1e-9)
    torch.set_num_threads(2)  # ruinous where the cores are busy
    main(["adapt", str(trained), str(new), "force=true"])
    assert torch.get_num_threads() == 1
    told = capsys.readouterr().out
    assert "length" in told
    assert "±" in told


def test_a_saved_member_knows_the_labels_that_the_run_knows(adapted, trained, new):
    model, member = metastruct.load(trained), metastruct.load_member(adapted / "member.safetensors")
    own = model.adapt_many(model.observations(metastruct.Family.from_files(new, ["q", "p"])))[0]
    assert own.labels().keys() == member.labels().keys() == {"length"}
    assert member.labels()["length"] == pytest.approx(own.labels()["length"])
    assert member.labels()["length"].std > 0
    assert member.model.layout.units == {"t": "s", "q": "rad"}


def test_members_of_a_run_without_labels_say_so(tiny, tmp_path):
    words = ("data=files", "data.states=[q,p]", f"data.path={EXAMPLE}")
    model = metastruct.load(run(tiny(tmp_path, *words)).path)
    with pytest.raises(ValueError, match=r"knows no labels of its training members; train it with data.labels"):
        model.adapt(np.ones((30, 2)), times=np.arange(30.0)).labels()


@pytest.mark.parametrize(
    "labels",
    [
        "a word",
        {"names": ["m"], "values": [1.0]},
        {"names": ["m", "m"], "values": torch.ones(3, 2).double()},
        {"names": [1], "values": torch.ones(3, 1).double()},
        {"names": ["m"], "values": torch.ones(3, 2).double()},
        {"names": ["m"], "values": torch.ones(3).double()},
        {"names": ["m"], "values": torch.ones(3, 1)},
        {"names": ["m"], "values": torch.full((3, 1), torch.inf).double()},
        {"names": [], "values": torch.ones(3, 0).double()},
    ],
)
def test_labels_of_a_stranger_are_refused(labels):
    with pytest.raises(Foreign, match="in the place of the labels"):
        labels_of(labels)


def test_a_forecast_is_that_of_the_member(adapted, tmp_path, capsys):
    file = str(adapted / "member.safetensors")
    words = ["forecast", file, "--from=-0.3,0.1", "--until", "2", "--every", "0.5", "--std", "0.1,0.2"]
    main([*words, "--output", str(tmp_path / "f.csv")])
    table = pd.read_csv(tmp_path / "f.csv")
    assert table.t.tolist() == [0, 0.5, 1, 1.5, 2]
    times = np.arange(5) / 2
    states, std = metastruct.load_member(file).forecast([-0.3, 0.1], times, std=True, start_std=[0.1, 0.2])
    np.testing.assert_allclose(table[["q", "p"]], states, rtol=1e-8)
    np.testing.assert_allclose(table[["q_std", "p_std"]], std, rtol=1e-8)
    assert (tmp_path / "f.png").stat().st_size > 1000
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main([*words, "--output", str(tmp_path / "f.csv")])
    assert "f.csv is there already" in capsys.readouterr().err
    main([*words, "--output", str(tmp_path / "f.csv"), "force=true"])
    capsys.readouterr()
    main([*words, "--output", "-"])
    assert capsys.readouterr().out == (tmp_path / "f.csv").read_text()


@pytest.mark.few(8)
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["adapt", "RUN"], "adapt takes RUN and NEW, got "),
        (["adapt", "nowhere", "NEW"], "nowhere must be the folder of a finished run"),
        (["adapt", "RUN", "nix.csv"], "nix.csv must be there"),
        (["adapt", "RUN", "NEW", "--ouput", "x"], "--ouput is not known; did you mean --output"),
        (["adapt", "RUN", "NEW", "--output"], "--output needs a value such as --output FOLDER, got none"),
        (["adapt", "RUN", "NEW", "--adaptation", "lm", "--output", "nowhere"], "adaptation=lm is not known"),
        (["adapt", "RUN", "NEW"], "new-adapted/forecast.csv is there already; name another place with --output, or"),
        (["adapt", "RUN", "NEW", "force=false"], "new-adapted/forecast.csv is there already"),
        (["adapt", "RUN", "NEW", "force=5"], "force must be true or false, got '5'"),
        (["adapt", "RUN", "NEW", "--output", "FILE"], "--output must be a folder, got "),
        (["adapt", "RUN", "NEW", "--output", "nowhere", "--outliers", "1"], "--outliers must be a finite number of at"),
        (["adapt", "RUN", "NEW", "--output", "nowhere", "--steps", "few"], "--steps must be a finite number of at"),
        (["forecast", "FILE", "--until", "3"], "forecast needs --from such as --from 0.3,0.0, got none"),
        (["forecast", "FILE", "--from", "1,2", "--until", "x"], "--until must be a finite number, got 'x'"),
        (["forecast", "FILE", "--from", "1,2", "--until", "nan"], "--until must be a finite number, got 'nan'"),
        (["forecast", "FILE", "--from", "1,2,3", "--until", "3"], "--from must be q, p, 2 numbers, got 3"),
        (["forecast", "FILE", "--from", "1,2", "--until", "-3"], "--until must be after the start at 0, got -3"),
        (["forecast", "FILE", "--from", "1,2", "--until", "3", "--every", "0"], "--every must be above 0"),
        (
            ["forecast", "FILE", "--from", "1,2", "--until", "3", "--every", "4"],
            "--every must be above 0 and give from 2",
        ),
        (["forecast", "FILE", "--from", "1,2", "--until", "3", "--std", "1e300,1"], "--std must be 2 finite numbers"),
        (["forecast", "FILE", "--from", "1,2", "--until", "3", "--std", "1"], "--std must be 2 finite numbers"),
        (
            ["forecast", "FILE", "--from", "1,2", "--until", "3", "--std", "1,-1"],
            "--std must be 2 finite numbers separated by commas of at least 0, got '1,-1'",
        ),
        (["forecast", "nix.safetensors", "--from", "1,2", "--until", "3"], "nix.safetensors must be a file"),
        (["forecast", "NEW", "--from", "1,2", "--until", "3"], "a member is kept in a file NAME.safetensors"),
    ],
)
def test_a_mistake_is_told_in_one_line(trained, new, adapted, capsys, words, told):
    places = {"RUN": trained, "NEW": new, "FILE": adapted / "member.safetensors"}
    with pytest.raises(SystemExit) as ended:
        main([str(places.get(word, word)) for word in words])
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert error.count("\n") == 1
    assert told in error
    assert not {*Path().glob("nowhere")}


def test_a_file_without_what_the_objective_reads_is_refused_in_one_line(tiny, new, tmp_path, capsys):
    words = ("data=files", "data.states=[q,p]", f"data.path={EXAMPLE}", "objective=derivatives")
    trained, path = run(tiny(tmp_path, *words)).path, tmp_path / "states.csv"
    pd.read_csv(new).drop(columns=["dq", "dp"]).to_csv(path, index=False)
    with pytest.raises(SystemExit):
        main(["adapt", str(trained), str(path)])
    assert "reads dxdt, got none" in capsys.readouterr().err


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_member_that_is_not_of_the_family_is_named(trained, new, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("metastruct.adaptation.agreement.REMOTE", 2.0)
    main(["adapt", str(trained), str(new), "--output", str(tmp_path)])
    assert "rod 3: the code is outside of those of training" in " ".join(capsys.readouterr().out.split())


def test_of_what_is_not_explained_outliers_are_counted_and_may_be_set_aside(
    trained, new, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("metastruct.adaptation.agreement.ALARM", 2.0)  # nothing is explained
    table = pd.read_csv(new)
    table.loc[[7, 31], "q"] += 5.0
    table.to_csv(wrong := tmp_path / "wrong.csv", index=False)
    told = []
    for path, *words in ((new,), (wrong,), (wrong, "--outliers", "6")):
        main(["adapt", str(trained), str(path), *words, "--output", str(tmp_path / "adapted"), "force=true"])
        told.append(" ".join(capsys.readouterr().out.split()))
    assert all("single ones are wrong (adapt without them: --outliers 6" in text for text in told)
    assert f"none of its {len(table)} observations looks like an outlier" in told[0]
    assert f"2 of its {len(table)} observations look like an outlier" in told[1]
    assert f"2 of {len(table)} observations of member rod 3 are outliers and set aside" in told[2]
    assert "none of its" in told[2]


JARGON = re.compile(r"\b(tasks?|support|quer(y|ies)|test functions?|windows?|shots|rollouts?|outer|inner|posterior)\b")


def test_no_command_on_own_data_speaks_in_words_of_the_paper(tiny, new, tmp_path, capsys, monkeypatch):
    """As somebody reads it who has a table and has not read the paper."""
    monkeypatch.setattr(console, "PLAIN_EVERY", 0.0)
    monkeypatch.setattr("metastruct.adaptation.agreement.ALARM", 2.0)
    words = ("data=files", "data.states=[q,p]", f"data.path={EXAMPLE}")
    folder = str(run(tiny(tmp_path / "outputs", *words, "data.hold_out=members")).path)
    member = str(tmp_path / "adapted" / "member.safetensors")
    main(["inspect", str(EXAMPLE), "states=[q,p]", "--figure", str(tmp_path / "seen.png")])
    main(["adapt", folder, str(new), "--output", str(tmp_path / "adapted")])
    main(["forecast", member, "--from", "0.3,0.1", "--until", "2"])
    main(["show", folder])
    main(["compare", folder, folder])
    told = capsys.readouterr().out.replace(str(tmp_path), "")
    assert "adapting: member 1 of 1" in told
    assert not {word[0] for word in JARGON.finditer(told)}
    assert JARGON.search("adapting to 2 tasks")


def test_a_fit_that_did_not_converge_says_what_that_means_and_what_helps(trained, new, tmp_path, capsys, monkeypatch):
    told = []
    for converged in (True, False):
        monkeypatch.setattr("metastruct.api.member.bool", lambda value, to=converged: to, raising=False)
        main(["adapt", str(trained), str(new), "--steps", "30", "--output", str(tmp_path / str(converged))])
        told.append(" ".join(capsys.readouterr().out.split()))
    assert "reach a minimum" not in told[0]
    assert "rod 3: its fit did not reach a minimum in 30 steps" in told[1]
    assert "--steps 300" in told[1]


def test_a_run_that_is_trained_and_not_measured_is_used_and_told(trained, new, tmp_path, capsys):
    there = Path(shutil.copytree(trained, tmp_path / trained.name))
    main(["adapt", str(there), str(new), "--output", str(tmp_path / "whole")])
    whole = capsys.readouterr().out
    (there / "metrics.json").unlink()
    main(["adapt", str(there), str(new), "--output", str(tmp_path / "half")])
    told = f"{there} was trained to its end and not measured; its command goes on"
    assert [told in text for text in (whole, capsys.readouterr().out)] == [False, True]
    assert (tmp_path / "whole/forecast.csv").read_text() == (tmp_path / "half/forecast.csv").read_text()


@pytest.mark.parametrize(
    ("training", "told"),
    [
        ("rods-svd5-seed3-0a", ": its training is at outer step 1,500, and its command goes on"),
        ("rods-svd5-seed0_7-0b", ": its training is at outer step 1,500, and its command goes on"),
        ("rods-svd5-seed30-0a", ""),
        ("rods-svd5-seed4_7-0b", ""),
        ("rods-svd-seed3-0a", ""),
        ("notes", ""),
    ],
)
def test_a_run_that_is_still_trained_says_how_far_it_is(new, tmp_path, capsys, training, told):
    new = Path(shutil.copy(new, tmp_path / "unseen.csv"))  # of which nothing is there yet
    run, place = tmp_path / "rods-svd5-seed3-1c", tmp_path / "training" / training
    for folder in (run, place):
        folder.mkdir(parents=True)
    for step in (500, 1500):
        (place / f"step-{step:09d}.ckpt").touch()
    refused = "must be the folder of a finished run, got one without"
    for words in (["adapt", run, new], ["worth", run], ["show", run], ["compare", run, run]):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, words)])
        lines = capsys.readouterr().err
        missing = "config.yaml" if words[0] in ("adapt", "worth") else "its results"
        assert (ended.value.code, lines) == (2, f"error: {run} {refused} {missing}{told}\n")
    with pytest.raises(SystemExit):
        main(["adapt", str(place), str(new)])
    error = capsys.readouterr().err
    assert ": a training at outer step 1,500; name the run beside training/ when it has ended\n" in error


def test_a_damaged_run_is_refused_in_one_line(trained, new, tmp_path, capsys):
    there = Path(shutil.copytree(trained, tmp_path / trained.name))
    (there / "model.ckpt").write_bytes(read_checked(there / "model.ckpt")[:-20])
    with pytest.raises(SystemExit):
        main(["adapt", str(there), str(new)])
    assert capsys.readouterr().err.count("\n") == 1
