"""What a run leaves behind, what it does not repeat, and what it survives."""

from __future__ import annotations

import csv
import io
import json
import runpy
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from processes import begin

from metastruct.config.facts import CONF
from metastruct.config.schema import ConfigError, dynamics_name, groups
from metastruct.config.stages import JUDGING, ROLLING, TWIN, heard
from metastruct.learners.course import Diverged
from metastruct.running.experiment import run
from metastruct.running.validation import validate
from metastruct.runs.files import read_checked, write_checked

TRAIN = CONF.parent / "train.py"
COLUMNS = (
    "experiment,run,system,domain,method,learner,dynamics,seed,task,shots,steps,adaptation,start,component,metric,value"
)
PASSING = ("seconds", "date", "versions", "commit", "machine")


def metrics_of(folder) -> dict:
    return json.loads(folder.metrics.read_text())


def numbers_of(folder) -> tuple[str, dict]:
    """Everything that must not depend on when and how a run was made."""
    return folder.records.read_text(), {k: v for k, v in metrics_of(folder).items() if k not in PASSING}


def the_training(outputs: Path) -> Path:
    (folder,) = [path for path in (outputs / "training").iterdir() if path.is_dir()]
    return folder


def stamps(*paths: Path) -> list[int]:
    return [path.stat().st_mtime_ns for path in paths]


@pytest.fixture
def copied(first_run, tmp_path):
    """The outputs of the first run, to play with."""
    outputs = tmp_path / "outputs"
    shutil.copytree(first_run[1], outputs)
    return outputs


# What is left behind


def test_run_folder_is_named_after_what_is_inside(first_run):
    folder, outputs = first_run
    assert folder.path.parent == outputs
    assert folder.path.name.startswith("pendulum-svd5-seed0-")


def test_run_leaves_its_resolved_configuration(first_run, tiny):
    from metastruct.running.validation import validate

    kept = yaml.safe_load(first_run[0].config.read_text())
    assert kept["modulation"]["rank"] == 5
    assert (kept["adaptation"]["steps"], kept["evaluation"]["steps"]) == (20, 300)
    assert "${" not in first_run[0].config.read_text()
    validate(tiny(first_run[1]))


def test_metrics_hold_what_a_reader_needs(first_run):
    metrics = metrics_of(first_run[0])
    assert {k: metrics[k] for k in ("system", "method", "learner", "seed", "shots", "steps", "dynamics")} == {
        "system": "pendulum",
        "method": "svd(5)",
        "learner": "auto_decoding",
        "seed": 0,
        "shots": 10,
        "steps": 20,
        "dynamics": "hamiltonian",
    }
    for metric in ("field_error", "trajectory_error", "ssim", "energy_drift"):
        values = metrics[metric]
        assert len(values["per_task"]) == 2
        assert values["mean"] == pytest.approx(sum(values["per_task"]) / 2)
        assert values["std"] == pytest.approx(abs(values["per_task"][0] - values["per_task"][1]) / 2)
    assert metrics["diverged_tasks"] == 0
    assert metrics["parameters"]["base"] > metrics["parameters"]["code"] == 2
    assert metrics["parameters"]["hypernetwork"] > 0
    assert {"data", "training", "adaptation", "rollouts", "total"} <= metrics["seconds"].keys()
    assert metrics["versions"]["torch"]
    assert metrics["commit"]


def test_every_number_of_the_metrics_is_a_row_of_the_records(first_run):
    folder = first_run[0]
    assert folder.records.read_text().splitlines()[0] == COLUMNS
    with open(folder.records, newline="") as file:
        rows = list(csv.DictReader(file))
    metrics = metrics_of(folder)
    assert len(rows) == metrics["records"]
    for metric in ("field_error", "trajectory_error", "ssim", "energy_drift"):
        found = [float(row["value"]) for row in rows if row["metric"] == metric and not row["component"]]
        assert found == metrics[metric]["per_task"]
    assert {row["component"] for row in rows if row["metric"] == "field_error"} == {"", "q", "p"}
    assert {row["run"] for row in rows} == {folder.path.name}


def test_model_file_has_the_sum_beside_it(first_run):
    assert read_checked(first_run[0].model) is not None


def test_figures_are_drawn_and_are_pictures(first_run):
    figures = sorted(first_run[0].figures.glob("*.png"))
    assert len(figures) >= 6
    assert all(path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 2000 for path in figures)


def test_nothing_unfinished_is_left_behind(first_run):
    left = [path.name for path in first_run[1].rglob("*") if path.is_file()]
    assert not [name for name in left if name.startswith("step-") or (name.startswith(".") and name != ".lock")]


# What is not repeated


def test_a_finished_run_is_recognised_and_not_repeated(tiny, copied, capsys):
    folder = run(tiny(copied))
    before = stamps(folder.metrics, folder.records, folder.model)
    assert "finished before" in capsys.readouterr().out
    run(tiny(copied, "logger.project=other", "trainer.checkpoint_seconds=3", "trainer.steps_per_epoch=7"))
    assert stamps(folder.metrics, folder.records, folder.model) == before


def test_force_repeats_training_and_measuring_and_ends_with_the_same_numbers(tiny, copied, first_run):
    model = the_training(copied) / "model.ckpt"
    before = stamps(model)
    folder = run(tiny(copied, "force=true"))
    assert stamps(model) != before
    assert numbers_of(folder) == numbers_of(first_run[0])


@pytest.mark.few(2)
@pytest.mark.parametrize("word", ["shots=5", "adaptation=gradient", "evaluation.start=zero", "data.test_tasks=1"])
def test_other_ways_to_measure_do_not_train_again(tiny, copied, first_run, capsys, word):
    model = the_training(copied) / "model.ckpt"
    before = stamps(model)
    folder = run(tiny(copied, word))
    assert stamps(the_training(copied) / "model.ckpt") == before
    assert "trained before" in capsys.readouterr().out
    assert folder.path.name != first_run[0].path.name
    assert metrics_of(folder)["field_error"] != metrics_of(first_run[0])["field_error"]


def test_a_run_whose_records_were_cut_short_is_measured_again_without_training(tiny, copied, first_run, capsys):
    records = copied / first_run[0].path.name / "records.csv"
    records.write_text("\n".join(records.read_text().splitlines()[:-1]))
    folder = run(tiny(copied))
    assert "trained before" in capsys.readouterr().out
    assert numbers_of(folder) == numbers_of(first_run[0])


def test_a_trained_model_that_was_damaged_is_trained_again(tiny, copied, first_run):
    model = the_training(copied) / "model.ckpt"
    whole = model.read_bytes()
    model.write_bytes(whole[:-100])
    folder = run(tiny(copied, "shots=9"))
    contents = [torch.load(path, weights_only=True) for path in (model, folder.model)]
    assert torch.equal(*(content["codes"] for content in contents))
    assert model.stat().st_size > len(whole) - 100


# What it survives

LONG = ("trainer.steps=200", "trainer.steps_per_epoch=4", "learner.task_batch=2", "seed=3")


@pytest.fixture(scope="module")
def uninterrupted(tiny, tmp_path_factory):
    return run(tiny(tmp_path_factory.mktemp("whole"), *LONG))


@pytest.fixture(scope="module")
def killed(tiny_words, bare_environment, tmp_path_factory) -> Path:
    """The outputs of a run that was killed with SIGKILL in the middle of its training."""
    outputs = tmp_path_factory.mktemp("killed")
    words = [*tiny_words, *LONG, "trainer.checkpoint_seconds=0", f"outputs={outputs}"]
    command = begin([TRAIN, *words], outputs, bare_environment)
    deadline = time.monotonic() + 120
    while command.process.is_alive() and time.monotonic() < deadline:
        if list(outputs.glob("training/*/step-0000000[2-9]*.ckpt.sha256")):
            break
        time.sleep(0.002)
    command.end(signal.SIGKILL)
    assert command.process.exitcode == -signal.SIGKILL, "it ended before it was killed"
    assert not (the_training(outputs) / "model.ckpt").exists()
    return outputs


def test_a_killed_run_goes_on_and_ends_with_the_numbers_of_one_that_was_never_stopped(
    tiny, killed, uninterrupted, tmp_path, capsys
):
    shutil.copytree(killed, tmp_path / "outputs")
    folder = run(tiny(tmp_path / "outputs", *LONG))
    assert "going on from" in capsys.readouterr().out
    assert numbers_of(folder) == numbers_of(uninterrupted)


def test_a_checkpoint_that_was_cut_short_is_passed_over_for_the_one_before(
    tiny, killed, uninterrupted, tmp_path, capsys
):
    shutil.copytree(killed, tmp_path / "outputs")
    complete = [path for path in sorted(the_training(tmp_path / "outputs").glob("step-*.ckpt")) if read_checked(path)]
    older, newest = complete[-2:]
    newest.write_bytes(newest.read_bytes()[:1000])
    folder = run(tiny(tmp_path / "outputs", *LONG))
    assert older.name in capsys.readouterr().out.replace("\n", "")
    assert numbers_of(folder) == numbers_of(uninterrupted)


def test_a_checkpoint_of_another_version_is_removed_and_the_training_begins_anew(
    tiny, killed, uninterrupted, tmp_path, capsys
):
    shutil.copytree(killed, tmp_path / "outputs")
    for path in the_training(tmp_path / "outputs").glob("step-*.ckpt"):
        if (whole := read_checked(path)) is None:
            continue
        content = torch.load(io.BytesIO(whole), weights_only=True)
        del content["learner"]["layout"], content["learner"]["courses"]
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_checked(path, buffer.getvalue())
    folder = run(tiny(tmp_path / "outputs", *LONG))
    said = capsys.readouterr().out
    assert "written by another version" in said
    assert "going on from" not in said
    assert numbers_of(folder) == numbers_of(uninterrupted)


def test_a_run_that_stops_after_its_last_checkpoint_ends_with_the_same_numbers(
    tiny, uninterrupted, tmp_path, monkeypatch
):
    def killed_here(*_):
        raise KeyboardInterrupt

    quick = "trainer.steps_per_epoch=50", "trainer.checkpoint_seconds=0"
    with monkeypatch.context() as patch:
        patch.setattr("metastruct.running.training.write_checked", killed_here)
        with pytest.raises(KeyboardInterrupt):
            run(tiny(tmp_path, *LONG, *quick))
    assert [path.name for path in the_training(tmp_path).glob("step-*200.ckpt")]
    assert numbers_of(run(tiny(tmp_path, *LONG, *quick))) == numbers_of(uninterrupted)


def test_a_run_that_stops_while_it_is_measured_ends_with_the_same_numbers(tiny, uninterrupted, tmp_path, monkeypatch):
    def killed_here(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("metastruct.running.experiment.written", killed_here)
        with pytest.raises(KeyboardInterrupt):
            run(tiny(tmp_path, *LONG))
    assert not list(tmp_path.glob("*/metrics.json"))
    assert numbers_of(run(tiny(tmp_path, *LONG))) == numbers_of(uninterrupted)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(tiny, tmp_path):
    words = ("optimizer=sgd", "optimizer.base_rate=2", "trainer.steps_per_epoch=1", "trainer.checkpoint_seconds=0")
    with pytest.raises(Diverged, match=r"not finite at outer step \d+ of 20.*lower optimizer.base_rate"):
        run(tiny(tmp_path, *words))
    checkpoints = list(the_training(tmp_path).glob("step-*.ckpt"))
    assert checkpoints
    assert all(read_checked(path) for path in checkpoints)
    assert not list(tmp_path.glob("*/metrics.json"))


# The command line


@pytest.fixture
def train(tiny_words, tmp_path, monkeypatch, capfd):
    """train.py in this process: exit code, what it printed, what it complained about."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
        flags = [word for word in words if word.startswith("-")]
        settings = [word for word in words if word not in flags]
        monkeypatch.setattr(sys, "argv", [str(TRAIN), *flags, *tiny_words, f"outputs={tmp_path}", *settings])
        code = 0
        try:
            runpy.run_path(str(TRAIN), run_name="__main__")
        except SystemExit as end:
            code = end.code
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return call


def test_a_diverged_run_says_so_in_one_line_and_fails(train):
    code, _, complaint = train("optimizer=sgd", "optimizer.base_rate=2")
    assert code == 1
    (line,) = complaint.splitlines()
    assert line.startswith("error: the training loss is not finite at outer step")


@pytest.mark.torture
def test_a_sweep_drops_a_rank_without_meaning_with_one_note_and_runs_no_duplicate(train, tmp_path):
    code, printed, complaint = train("-m", "modulation=shift,svd", "rank=1,2", "trainer.steps=2")
    assert (code, complaint) == (0, "")
    assert printed.count("rank is dropped for modulation=shift") == 1
    assert printed.count("finished before") == 1
    runs = sorted(path.parent.name.rsplit("-", 1)[0] for path in tmp_path.glob("*/metrics.json"))
    assert runs == ["pendulum-shift-seed0", "pendulum-svd1-seed0", "pendulum-svd2-seed0"]


def test_a_job_that_fails_stops_no_other_and_the_sweep_fails(train, tmp_path):
    code, _, complaint = train("-m", "optimizer=sgd", "optimizer.base_rate=2,1e-3", "seed=0,1")
    assert code == 1
    assert complaint.count("error: the training loss is not finite") == 2
    assert "error: 2 jobs failed" in complaint
    assert "Traceback" not in complaint
    assert len(list(tmp_path.glob("*/metrics.json"))) == 2


# Everything that conf/ offers


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("shared")


TWO_STEPS = ("trainer.steps=2", "evaluation.steps=2", "integrator.step_size=0.1")


@pytest.mark.few(1)
def test_every_modulation_runs_with_every_net_and_dynamics(tiny, shared, arrangement, modulation):
    cfg = tiny(shared, f"modulation={modulation}", *arrangement.overrides, *TWO_STEPS)
    try:
        validate(cfg)
    except ConfigError as refusal:
        pytest.skip(str(refusal))
    metrics = metrics_of(run(cfg))
    assert all(error > 0 for error in metrics["field_error"]["per_task"])
    assert metrics["dynamics"] == dynamics_name(cfg)


OPTIONS = {
    group: groups()[group] for group in ("system", "locality", "integrator", "learner", "adaptation", "optimizer")
}
ROWS = [
    [f"{group}={names[number]}" for group, names in OPTIONS.items() if number < len(names)]
    for number in range(max(map(len, OPTIONS.values())))
]


def rows() -> list:
    """Those that hold nothing but a system are torture: the contracts of systems simulate them all."""
    return [
        pytest.param(
            row, id=" ".join(row), marks=pytest.mark.torture if row[0].startswith("system=") and not row[1:] else ()
        )
        for row in ROWS
    ]


@pytest.mark.torture
@pytest.mark.parametrize("options", rows())
def test_every_option_runs(tiny, shared, accepted, options):
    """Those of a row in one run where they go together, else each in its own with what it needs."""

    def words(*chosen: str) -> list[str]:
        integrates = any(word.startswith("integrator=") for word in chosen)
        return [*chosen, *(word for word in TWO_STEPS if not (integrates and word.startswith("integrator.")))]

    try:
        validate(tiny(shared, *words(*options)))
        runs = [words(*options)]
    except ConfigError:
        runs = [words(*accepted(*option.split("="))) for option in options]
    for one in runs:
        assert all(error > 0 for error in metrics_of(run(tiny(shared, *one)))["field_error"]["per_task"])


@pytest.mark.torture
def test_a_run_that_a_time_ends_says_its_steps_and_they_repeat_it(tiny, shared):
    by_time = run(tiny(shared, "trainer.steps=null", "trainer.seconds=0.1"))
    steps = metrics_of(by_time)["training_steps"]
    assert steps > 1
    again, other = (run(tiny(shared, f"trainer.steps={count}")) for count in (steps, steps + 1))
    assert len({by_time.path, again.path, other.path}) == 3
    errors = [metrics_of(each)["field_error"]["per_task"] for each in (by_time, again, other)]
    assert errors[0] == errors[1] != errors[2]


@pytest.mark.few(1)
def test_every_experiment_runs(tiny, shared, any_experiment):
    cfg = tiny(shared, f"experiment={any_experiment}", *TWO_STEPS)
    assert cfg.trainer.steps == 2
    assert cfg.tag != "main"
    assert metrics_of(run(cfg))["training_steps"] == 2


@pytest.mark.few(2)
@pytest.mark.parametrize("schedule", ["joint", "alternating"])
@pytest.mark.parametrize("batch", [2, 4])
def test_every_schedule_runs(tiny, shared, schedule, batch):
    words = (f"learner.schedule={schedule}", f"learner.task_batch={batch}", "learner.inner_steps=2")
    assert metrics_of(run(tiny(shared, *words, *TWO_STEPS)))["training_steps"] == 2


@pytest.mark.parametrize("words", ["adaptation=levenberg_marquardt", "modulation=camel", "modulation=geps"])
def test_a_run_with_a_posterior_measures_its_coverage(tiny, tmp_path, words):
    from metastruct.running.experiment import run

    folder = run(tiny(tmp_path / "outputs", words))
    metrics = folder.finished()
    has_posterior = metrics["adaptation"] != "gradient"
    for metric in ("coverage_95", "coverage_95_grid"):
        assert (metric in metrics) == has_posterior
        assert not has_posterior or all(0 <= share <= 1 for share in metrics[metric]["per_task"])


def test_whatever_of_a_run_takes_long_says_how_far_it_is(tiny, tmp_path):
    """Of noisy data: a second training that tells what noise teaches, looks at every member, fits, rollouts."""
    told = dict[str, list[tuple[int, int]]]()
    with heard(lambda what, done, most: told.setdefault(what, []).append((done, most))):
        run(tiny(tmp_path, "data.noise=0.05"))
    assert told.pop(TWIN) == [(5, 5)]
    assert {*told} == {ROLLING, JUDGING}
    assert all(0 < done <= most for every in told.values() for done, most in every)
    assert told[ROLLING][-1][0] == told[ROLLING][-1][1]
