"""`replicas` trains several seeds as one; what it leaves are the runs of single seeds."""

from __future__ import annotations

import csv
import json
import shutil
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from pkgutil import resolve_name

import pytest
import torch
import yaml

from metastruct.config.schema import ConfigError
from metastruct.learners.auto_decoding import AutoDecoding
from metastruct.learners.course import Diverged
from metastruct.running.experiment import run
from metastruct.runs.files import locked_if_free


def folders(outputs: Path) -> set[str]:
    return {str(path.relative_to(outputs)) for path in (*outputs.glob("*-seed*"), *outputs.glob("training/*"))}


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def singles(tiny, tmp_path_factory):
    outputs = tmp_path_factory.mktemp("singles")
    return outputs, [run(tiny(outputs, f"seed={seed}")).path for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def together(tiny, tmp_path_factory):
    outputs = tmp_path_factory.mktemp("together")
    return outputs, run(tiny(outputs, "seed=1", "replicas=3"))


def test_they_leave_the_folders_of_single_runs_and_nothing_else(singles, together):
    assert folders(together[0]) == folders(singles[0])
    assert together[1].path.name == singles[1][0].name


def test_every_seed_has_the_numbers_configuration_and_records_of_its_own_run(singles, together):
    errors = set()
    for seed, single in zip((1, 2, 3), singles[1], strict=True):
        ours = together[0] / single.name
        metrics, expected = metrics_of(ours), metrics_of(single)
        assert metrics["seed"] == seed
        for metric in ("field_error", "trajectory_error", "support_loss"):
            assert metrics[metric]["per_task"] == pytest.approx(expected[metric]["per_task"], rel=1e-3)
        errors.add(round(metrics["field_error"]["mean"], 4))
        assert metrics["training_steps"] == expected["training_steps"]
        kept, told = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (ours, single))
        assert kept | {"outputs": ""} == told | {"outputs": ""}
        with open(ours / "records.csv", newline="") as file:
            assert {(row["seed"], row["run"]) for row in csv.DictReader(file)} == {(str(seed), single.name)}
    assert len(errors) == 3


def test_their_runs_are_recognised_afterwards_one_by_one_and_together(tiny, together, capsys):
    before = [path.stat().st_mtime_ns for path in sorted(together[0].rglob("*.ckpt"))]
    run(tiny(together[0], "seed=2"))
    assert capsys.readouterr().out.count("finished before") == 1
    run(tiny(together[0], "seed=1", "replicas=3"))
    assert capsys.readouterr().out.count("finished before") == 3
    assert [path.stat().st_mtime_ns for path in sorted(together[0].rglob("*.ckpt"))] == before


def test_a_finished_seed_is_not_trained_again(tiny, singles, tmp_path, capsys):
    shutil.copytree(singles[0], tmp_path / "outputs")
    run(tiny(tmp_path / "outputs", "seed=2", "replicas=4"))
    told = capsys.readouterr().out
    assert "training 2 seeds together" in told
    assert told.count("finished before") == 2
    assert len(folders(tmp_path / "outputs")) == 10


def test_force_repeats_every_seed(tiny, together, tmp_path, capsys):
    shutil.copytree(together[0], tmp_path / "outputs")
    run(tiny(tmp_path / "outputs", "seed=1", "replicas=3", "force=true"))
    told = capsys.readouterr().out
    assert "training 3 seeds together" in told
    assert "finished before" not in told


def test_what_trains_nothing_runs_seed_after_seed(tiny, tmp_path):
    run(tiny(tmp_path, "learner=scratch", "replicas=2", "adaptation.steps=2"))
    assert len(list(tmp_path.glob("pendulum-scratch-seed*/metrics.json"))) == 2


def test_a_training_that_fails_is_named_by_its_seed_in_one_line(tiny, tmp_path):
    with pytest.raises(Diverged, match=r"^seed 0: the training loss is not finite at outer step \d+ of 20; .*seed 1: "):
        run(tiny(tmp_path, "optimizer=sgd", "optimizer.base_rate=2", "replicas=2"))
    assert not list(tmp_path.glob("*/metrics.json"))


# What is forced


RESULTS = ("metrics.json", "records.csv", "model.ckpt", "evaluation.npz")


def lose(monkeypatch, *seeds: int) -> None:
    """The trainings of these seeds lose their numbers at an outer step."""
    update = AutoDecoding.outer_update

    def broken(learner: AutoDecoding, step: int) -> torch.Tensor:
        losses = update(learner, step)
        alone = not learner.replicas
        own = [learner.seed] if alone else [learner.seed + number for number in range(len(learner.courses))]
        lost = torch.tensor([seed in seeds and step >= 7 for seed in own])
        return torch.where(lost[0] if alone else lost, torch.nan, losses)

    monkeypatch.setattr(AutoDecoding, "outer_update", broken)


def results_of(outputs: Path) -> dict[str, list[str]]:
    """The results of each run folder."""
    return {
        path.name.split("-")[2]: [name for name in RESULTS if (path / name).exists()]
        for path in sorted(outputs.glob("*-seed*"))
    }


LOST = [
    ((2, 3), True),
    *(pytest.param(*case, marks=pytest.mark.torture) for case in product([(1,), (3,)], [False, True])),
]


@pytest.mark.parametrize(("lost", "force"), LOST)
def test_a_seed_that_diverges_leaves_no_results_and_the_others_theirs(
    tiny, together, tmp_path, monkeypatch, lost, force
):
    outputs = tmp_path / "outputs"
    if force:
        shutil.copytree(together[0], outputs)
        for path in outputs.glob("*-seed*/metrics.json"):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"date": "before"}))
    lose(monkeypatch, *lost)
    named = "; ".join(f"seed {seed}: the training loss is not finite at outer step 7[^;]*; [^;]*" for seed in lost)
    with pytest.raises(Diverged, match=f"^{named}$"):
        run(tiny(outputs, "seed=1", "replicas=3", f"force={force}".lower()))
    kept = {f"seed{seed}": [*RESULTS] for seed in (1, 2, 3) if seed not in lost}
    assert {seed: there for seed, there in results_of(outputs).items() if there} == kept
    assert len([*outputs.glob("training/*/model.ckpt")]) == len(kept)
    assert all(metrics_of(path.parent)["date"] != "before" for path in outputs.glob("*-seed*/metrics.json"))
    assert not [*outputs.glob("training/*_*")]


def test_a_seed_that_diverges_alone_stops_no_other(tiny, together, tmp_path, monkeypatch):
    """The first is in other hands while the others are trained together, so it is trained by itself."""
    outputs = tmp_path / "outputs"
    held: list[object] = []

    def busy(folder: Path, *name: str):
        first = "-seed1-" in folder.name and not held
        held.append(folder)
        return nullcontext(False) if first else locked_if_free(folder, *name)

    monkeypatch.setattr("metastruct.running.group.locked_if_free", busy)
    lose(monkeypatch, 1)
    with pytest.raises(Diverged, match=r"^seed 1: the training loss is not finite at outer step 7[^;]*;[^;]*$"):
        run(tiny(outputs, "seed=1", "replicas=3"))
    assert [seed for seed, there in results_of(outputs).items() if there] == ["seed2", "seed3"]


def numbers_of(outputs: Path) -> dict[str, tuple[str, bytes]]:
    """Records and models of every seed, without what no two runs share."""
    found = {}
    for path in sorted(outputs.glob("*-seed*/metrics.json")):
        model = torch.load(path.parent / "model.ckpt", weights_only=True)
        found[path.parent.name] = (path.with_name("records.csv").read_text(), model["codes"].numpy().tobytes())
    return found


MOMENTS = {  # where a forced run with replicas is killed: at which call of what
    "before the second seed is forgotten": ("metastruct.runs.folder.RunFolder.forget", 2),
    "before anything is trained": ("metastruct.running.group.fit", 1),
    "before the first model is kept": ("metastruct.running.group.keep", 1),
    "between two models": ("metastruct.running.group.keep", 2),
    "before the group is removed": ("metastruct.running.group.shutil.rmtree", 1),
    "before the first seed is measured": ("metastruct.running.experiment.evaluated", 1),
    "between two seeds": ("metastruct.running.experiment.evaluated", 2),
    "before the last metrics": ("metastruct.running.experiment.written", 3),
}


USUAL = ("between two models",)


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.torture
@pytest.mark.parametrize(
    "moment", [name if name in USUAL else pytest.param(name, marks=pytest.mark.torture) for name in MOMENTS]
)
def test_a_forced_run_that_is_killed_anywhere_ends_alike_when_it_is_started_again(
    tiny, together, tmp_path, monkeypatch, moment
):
    outputs, (what, at) = tmp_path / "outputs", MOMENTS[moment]
    shutil.copytree(together[0], outputs)
    words = ("seed=1", "replicas=3", "force=true")
    with monkeypatch.context() as patch:
        whole, calls = resolve_name(what), []

        def killed(*args: object, **settings: object) -> object:
            calls.append(args)
            if len(calls) == at:
                raise Killed
            return whole(*args, **settings)

        patch.setattr(what, killed)
        with pytest.raises(Killed):
            run(tiny(outputs, *words))
    without_force = tmp_path / "without_force"
    shutil.copytree(outputs, without_force)
    if moment != "before the second seed is forgotten":  # then what is there is still of before
        run(tiny(without_force, *words[:2]))
        assert numbers_of(without_force) == numbers_of(together[0])
    run(tiny(outputs, *words))
    assert numbers_of(outputs) == numbers_of(together[0])
    assert not [*outputs.glob("training/*_*")]


def test_the_number_of_seeds_must_be_positive(tiny, tmp_path):
    with pytest.raises(ConfigError, match="replicas must be at least 1, got 0"):
        run(tiny(tmp_path, "replicas=0"))
