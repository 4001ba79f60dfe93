"""Tables as lists of runs, and what is known of them before anything runs."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from finished import finish
from omegaconf import OmegaConf

from metastruct.config.facts import basis, headline_errors
from metastruct.config.folders import VARIABLE
from metastruct.config.schema import ConfigError, composed, method_name
from metastruct.running.assembly import component
from metastruct.running.places import run_folder, training_folder
from metastruct.running.validation import validate
from metastruct.runs.files import claimed, is_claimed, locked
from metastruct.sweeps.bundle import units
from metastruct.sweeps.command import main, parsed
from metastruct.sweeps.launchers import gpu_pool
from metastruct.sweeps.launchers.launcher import Launcher, Outcome
from metastruct.sweeps.plan import Plan, carry_out
from metastruct.sweeps.table import Table, errors, table, tables


@pytest.fixture(scope="module")
def every_table(tmp_path_factory) -> dict[str, Table]:
    outputs = tmp_path_factory.mktemp("outputs")
    return {name: table(name, outputs) for name in tables()}


@pytest.fixture(scope="module")
def some_tables(tmp_path_factory) -> dict[str, Table]:
    """Three that share pieces: Hydra composes those of all for a while."""
    outputs = tmp_path_factory.mktemp("outputs")
    return {name: table(name, outputs) for name in ("shots", "ranks", "parameters")}


@pytest.fixture
def own_table(tmp_path, monkeypatch):
    """Makes a table of these blocks, in a folder of yamls of the user's."""

    def made(*blocks: dict[str, object], **settings: object) -> None:
        folder = tmp_path / "conf" / "table"
        folder.mkdir(parents=True, exist_ok=True)
        content = {"title": "a table", "order": 1, "blocks": [*blocks], **settings}
        OmegaConf.save(content, folder / "own.yaml")
        monkeypatch.setenv(VARIABLE, str(tmp_path / "conf"))

    return made


@pytest.mark.torture
def test_no_table_holds_a_run_twice(every_table):
    for one in every_table.values():
        assert len({job.folder for job in one.jobs}) == len(one.jobs) > 0
        assert len({(job.label, job.seed) for job in one.jobs}) == len(one.jobs)


def test_a_modulation_without_a_rank_appears_once_in_a_cross_with_ranks(own_table, tmp_path):
    own_table({"seeds": [0, 1], "cross": [["modulation=shift", "modulation=svd"], ["rank=1", "rank=2", "rank=3"]]})
    labels = [job.label for job in table("own", tmp_path).jobs if job.seed == 0]
    assert labels == ["modulation=shift", *(f"modulation=svd rank={rank}" for rank in (1, 2, 3))]


@pytest.mark.torture
def test_a_table_keeps_the_errors_that_it_shows(own_table, some_tables, tmp_path):
    shown = errors()
    assert all({*shown.get(name, headline_errors())} <= set(one.metrics) for name, one in some_tables.items())
    block = {"seeds": [0], "cross": [["modulation=shift"]]}
    own_table(block, errors=["field_error", "ssim"])
    assert {"field_error", "ssim"} <= set(table("own", tmp_path).metrics)
    assert errors() == {"own": ["field_error", "ssim"]}
    own_table(block, errors=["field_error", "coverage_95"])
    with pytest.raises(ConfigError, match="table=own: errors holds coverage_95, which its records do not keep; add it"):
        table("own", tmp_path)


@pytest.mark.torture
def test_every_study_of_a_table_can_be_built(every_table):
    studies = [component(OmegaConf.create({**one.study})) for one in every_table.values() if one.study is not None]
    assert studies
    assert all(callable(study.study) for study in studies)


@pytest.mark.torture
def test_every_word_of_every_table_makes_sense(every_table):
    """In the first run that says it."""
    said: set[str] = set()
    for one in every_table.values():
        for job in one.jobs:
            if not said.issuperset(job.label.split()):
                said.update(job.label.split())
                validate(job.settings)


@pytest.mark.torture
def test_every_setting_of_every_table_makes_sense(every_table):
    for one in every_table.values():
        for settings in {id(job.settings): job.settings for job in one.jobs}.values():
            validate(settings)


@pytest.mark.torture
def test_a_run_has_the_folder_that_train_py_gives_to_its_words(every_table):
    """A sample, for Hydra takes its time: the last run of each table and another."""
    draw = random.Random(0)
    for one in every_table.values():
        for job in {one.jobs[-1], draw.choice(one.jobs)}:
            cfg = composed(*job.overrides)
            settings = OmegaConf.to_container(cfg, resolve=True)
            assert run_folder(settings, method_name(cfg)).path == job.folder, job.label
            assert training_folder(settings, method_name(cfg)) == job.training


def test_another_number_of_observations_or_adaptation_steps_needs_no_training_of_its_own(some_tables):
    jobs = some_tables["shots"].jobs
    trained = {(job.settings.system.name, job.method, job.seed): job.training for job in jobs}
    assert {job.training for job in jobs} == {*trained.values()}
    assert len(jobs) > 10 * len(trained)


def test_words_of_the_user_reach_every_run_and_the_preset_gives_way(own_table, tmp_path):
    own_table({"seeds": [0], "cross": [["modulation=shift"]]}, steps=4000)
    (job,) = table("own", tmp_path).jobs
    (other,) = table("own", tmp_path, ["trainer.steps=7", "shots=3"]).jobs
    assert (job.settings.trainer.steps, other.settings.trainer.steps, other.settings.shots) == (4000, 7, 3)
    assert {job.folder, job.training} & {other.folder, other.training} == set()


def test_a_sweep_logs_and_draws_where_the_user_says_so_and_that_is_no_other_table(own_table, tmp_path):
    own_table({"seeds": [0], "cross": [["modulation=shift"]]}, steps=10)
    words = ["logger=wandb", "evaluation.figures=true", "trainer.threads=2"]
    (quiet,), (told,) = table("own", tmp_path).jobs, table("own", tmp_path, words).jobs
    assert (quiet.folder, quiet.training) == (told.folder, told.training)
    by_run = [composed(*job.overrides) for job in (quiet, told)]
    assert [(cfg.logger.mode, cfg.evaluation.figures) for cfg in by_run] == [("disabled", False), ("offline", True)]
    assert parsed([f"with={word}" for word in words]).reference == Path("outputs/reference")
    assert parsed(["with=shots=3"]).reference == Path("outputs/trial")


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("table=mian", "table=mian is not known; did you mean main"),
        ("launcher=gpu_pol", "launcher=gpu_pol is not known; did you mean gpu_pool"),
        ("slotz=2", "slotz is not a setting of launcher=gpu_pool; did you mean slots"),
        ("seeds=one", "seeds must be whole numbers, got 'one'"),
        ("main", "'main' is not key=value"),
        ("table=morse with=trainer.stepz=1", "trainer.stepz"),
    ],
)
def test_a_mistake_is_told_in_one_line(words, told, capsys):
    assert main([*words.split(), "--dry-run"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert told in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_a_dry_run_lists_what_is_done_missing_and_failed_and_writes_nothing(own_table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    own_table({"seeds": [0, 1, 2], "cross": [["modulation=shift", "modulation=camel"]]}, steps=10)
    done, failed, *_ = table("own", Path("outputs")).jobs
    finish(done.folder)
    failed.folder.mkdir()
    failed.error.write_text("the loss is not finite\n")
    before = sorted(tmp_path.rglob("*"))
    assert main(["table=own", "--dry-run", "slots=1"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:-1] == [
        "own: a table",
        "  6 runs, 1 done, 4 missing, 1 failed",
        "  missing  trainer.steps=10 modulation=shift seed=2",
        "  missing  trainer.steps=10 modulation=camel seed=0,1,2",
        "  failed   trainer.steps=10 modulation=shift seed=1: the loss is not finite",
    ]
    assert said[-1].startswith("1 of 6 runs done, 4 missing, 1 failed; about ")
    assert sorted(tmp_path.rglob("*")) == before


def test_the_time_is_estimated_from_finished_runs_of_the_method(own_table, tmp_path):
    own_table({"seeds": [0, 1, 2, 3], "cross": [["modulation=shift"], ["shots=5", "shots=6"]]}, steps=10)
    jobs = table("own", tmp_path).jobs
    finish(jobs[0].folder)  # 50 s of training and 1 s of adaptation
    plan = Plan.of(jobs)
    others = [job for job in plan.missing() if job.seed]
    assert plan.seconds(others, 1) == pytest.approx(3 * 52)
    assert plan.seconds(others, 2) == pytest.approx(3 * 26)
    assert plan.seconds(others, 100) == pytest.approx(52)  # a training and its runs are one piece


def test_runs_that_share_a_training_are_one_unit(some_tables):
    jobs = some_tables["shots"].jobs
    found = units(jobs)
    assert sum(map(len, found)) == len(jobs)
    assert len(found) == len({job.training for job in jobs})


def test_consecutive_seeds_of_the_same_runs_are_put_together(own_table, tmp_path):
    own_table({"seeds": [0, 1, 2, 4], "cross": [["modulation=shift"], ["shots=5", "shots=6"]]}, steps=10)
    jobs = table("own", tmp_path).jobs
    found = [[bundle.job for bundle in unit] for unit in units(jobs, 2)]
    assert [len(unit) for unit in found] == [2, 2, 2]
    assert [[path.name.split("-")[2] for path in unit[0].folders] for unit in found] == [
        ["seed0", "seed1"],
        ["seed2"],
        ["seed4"],
    ]
    for joint in found[0]:
        assert {"seed=0", "replicas=2"} < {*joint.overrides}
        assert joint.training == jobs[0].training
    assert "replicas=" not in " ".join(found[1][0].overrides)
    assert sorted(folder for unit in found for job in unit for folder in job.folders) == sorted(j.folder for j in jobs)

    less = [job for job in jobs if job is not jobs[1]]  # seed 1 lacks a run, so it is another piece of work
    assert sorted(len(bundle.runs) for unit in units(less, 9) for bundle in unit) == [1] * 7


def test_a_job_of_several_seeds_has_failed_where_it_left_no_result(own_table, tmp_path):
    own_table({"seeds": [0, 1, 2], "cross": [["modulation=shift"]]}, steps=10)
    runs = table("own", tmp_path).jobs
    ((bundle,),) = units(runs, 3)
    finish(runs[0].folder)
    bundle.job.fail("seed 1: the loss is not finite")
    assert [run.error.exists() for run in runs] == [False, True, True]
    assert bundle.job.error == runs[1].error
    assert bundle.job.finished() is None
    bundle.job.forget_errors()
    assert not any(run.error.exists() for run in runs)
    for run in runs[1:]:
        finish(run.folder)
    assert bundle.job.finished() is not None


def test_runs_of_several_tables_are_planned_once(some_tables):
    both = [*some_tables["ranks"].jobs, *some_tables["parameters"].jobs]
    plan = Plan.of(both)
    assert len(plan.jobs) < len(both)
    assert sum(job.table == "ranks" for job in plan.jobs.values()) == len(some_tables["ranks"].jobs)


def test_a_claim_is_exclusive_never_waits_and_ends_with_its_holder(tmp_path):
    with claimed(tmp_path) as first, claimed(tmp_path) as second:
        assert (first, second) == (True, False)
        assert is_claimed(tmp_path)
        with locked(tmp_path, lambda: pytest.fail("the lock of the run itself is another one")):
            pass
    assert not is_claimed(tmp_path)


def test_a_table_that_is_not_there_says_what_is(tmp_path):
    with pytest.raises(ConfigError, match="table=xyz is not known; there is main"):
        table("xyz", tmp_path)


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("with=modulation=svdd",), "modulation=svdd is not known"),
        (("with=shots=[1",), "shots"),
        (("slots=two",), "slots must be a whole number of at least 1, got 'two'"),
        (("slots=1.5",), "slots must be a whole number of at least 1, got 1.5"),
        (("slots=-1",), "slots must be a whole number of at least 1, got -1"),
        (("replicas=0",), "replicas must be at least 1, got 0"),
        (("with=seed=5",), "with=seed=... is not for every run; use seeds=0,1"),
        (("steps=0",), "trainer.steps must be at least 1, got 0"),
        (("with=shots=0",), "shots must be at least 1, got 0"),
        (("retry=yes",), "retry must be true or false, got 'yes'"),
        (("seeds=7",), "seeds must be among 0, 1, 2, which table=main has, got [7]"),
        (("launcher=ray", "cpus_per_run=many"), "cpus_per_run must be a number of at least 0"),
        (("launcher=slurm", "timeout_min=0"), "timeout_min must be a whole number of at least 1, got 0"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_in_one_line(words, told, capsys):
    assert main(["table=main", "--dry-run", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert told in line


def test_a_retried_run_that_another_command_holds_is_not_taken_for_failed_again(own_table, tmp_path):
    own_table({"seeds": [0], "cross": [["modulation=shift"]]}, steps=10)
    (run,) = table("own", tmp_path).jobs
    run.fail("of an earlier time")

    class Taken(Launcher):
        slots, calls = 1, 0

        def launch(self, units, report):
            self.calls += 1
            if self.calls == 1:
                report(Outcome(units[0][0], None, 0.0, elsewhere=True))
            else:
                error = {"mean": 0.1, "std": 0.0, "median": 0.1, "per_task": [0.1]}
                finish(run.folder, field_error=error, trajectory_error=error, diverged_tasks=0)
                report(Outcome(units[0][0], None, 1.0))

    launcher, plan = Taken(), Plan.of([run])
    assert plan.failed
    carry_out(plan, launcher, True, lambda _: None)
    assert launcher.calls == 2
    assert not plan.failed
    assert plan.finished == {run.folder}


def test_planning_imports_nothing_heavy():
    heavy = {"torch", "lightning", "matplotlib", "scipy", "wandb"}
    check = f"import sys, metastruct.sweeps.command; print(*({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert said.stdout.split() == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("system=pendulum modulation=svd", ("adaptation=gradient", "optimizer=adam")),
        ("system=pendulum", ("adaptation=gradient", "optimizer=adam")),
        ("modulation=svd adaptation=levenberg_marquardt", ("optimizer=adam",)),
        ("modulation=svd optimizer=soap", ("adaptation=gradient",)),
        ("modulation=camel", ("optimizer=adam",)),
        ("learner=maml trainer.steps=3", ()),
    ],
)
def test_tables_name_what_they_rest_on_where_their_words_leave_it_open(words, named):
    assert basis(words.split()) == named


def test_runs_of_a_table_keep_gradient_steps_whatever_the_default_is(tmp_path, composed):
    assert composed("modulation=svd").adaptation.name != "gradient"
    named = {job.label: job for job in table("main_job", tmp_path).jobs}
    job = named["system=pendulum modulation=svd rank=5"]
    assert "adaptation=gradient" in job.overrides
    assert job.settings.adaptation.name == "gradient"
    asked = table("main_job", tmp_path, ("adaptation=levenberg_marquardt",)).jobs
    assert {job.settings.adaptation.name for job in asked} == {"levenberg_marquardt"}


def test_processes_talk_through_a_folder_whose_sockets_have_short_names(tmp_path, monkeypatch):
    long, chosen = tmp_path / ("x" * 120), []
    long.mkdir()
    monkeypatch.setattr(gpu_pool, "get_temp_dir", lambda: chosen.append(tempfile.gettempdir()))
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    gpu_pool.place_of_sockets()
    assert len(chosen[0]) <= gpu_pool.LETTERS
    assert tempfile.gettempdir() == str(long)
    monkeypatch.setattr(gpu_pool, "SHORT", ())
    with pytest.raises(ValueError, match=r"TMPDIR must be a folder whose path has at most 70 letters, got .*xxx$"):
        gpu_pool.place_of_sockets()
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    gpu_pool.place_of_sockets()
    assert chosen[1] == "/tmp"
