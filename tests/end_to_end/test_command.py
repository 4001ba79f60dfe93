"""What a person sees who types a mistake: one line, at once, and nothing written."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys

import pytest

from metastruct.config.facts import CONF
from metastruct.config.schema import groups

TRAIN = CONF.parent / "train.py"


@pytest.fixture
def train(tmp_path):
    """Runs train.py in an empty folder, `here`, with nothing in the environment that could help or hurt."""
    (tmp_path / "here").mkdir()
    (tmp_path / "temporary").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "HYDRA"))}
    environment = kept | {"HOME": str(tmp_path), "TMPDIR": str(tmp_path / "temporary")}

    def run(*words: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *python, str(TRAIN), *words]
        return subprocess.run(
            command, cwd=tmp_path / "here", env=environment, capture_output=True, text=True, timeout=30, check=False
        )

    yield run
    assert list((tmp_path / "here").iterdir()) == []


MISTAKES = {
    "system=pendulm": "system=pendulm is not known; did you mean pendulum or",
    "modulation=svdd": "modulation=svdd is not known; did you mean svd?",
    "locality=strongest": "locality=strongest is not known; did you mean strong?",
    "experiment=quik": "experiment=quik is not known; did you mean quick?",
    "system=xyzzy": "system=xyzzy is not known; there is",
    "modulaton=svd": "modulaton is not a setting; did you mean modulation",
    "trainer.stepz=3": "trainer.stepz is not a setting; did you mean trainer.steps",
    "optimizer=adam optimizer.warm_start=0.5": "optimizer.warm_start is not a setting; did you mean optimizer.warmup",
    "start.energy_cap=1": "start.energy_cap is not a setting; start has none, as it was chosen",
    "zzz=3": "zzz is not a setting; there is system, start, modulation, ",
    "shotz=3": "shotz is not a setting; did you mean shots",
    "rank=five": "rank must be an integer such as 3, got 'five'",
    "shots=some": "shots must be an integer such as 3, got 'some'",
    "force=maybe": "force must be true or false, got 'maybe'",
    "trainer.steps=1.5": "trainer.steps must be an integer such as 3, got '1.5'",
    "net.width=wide": "net.width must be an integer such as",
    "rank=0": "rank must be at least 1",
    "modulation=shift rank=3": "rank=3 has no meaning for modulation=shift; leave rank out or use modulation=",
    "shots=100000": "shots must be at most 1000",
    "net.activation=gelu": "net.activation must be one of silu",
    "integrator.step_size=0": "integrator.step_size must be above 0",
    "logger.mode=online": "logger.mode=online needs an API key",
    "data.points=null": "data.points must be an integer such as 200, got None",
    "shots": "cannot read 'shots'; write key=value",
    "tag=a(b": "cannot read 'tag=a(b'; write key=value, and quote",
    "tag=\xe9": "cannot read 'tag=\xe9'; write key=value, and quote",
    "~shots": "shots is missing; leave it alone, or give it a value",
    "~net": "net is missing; choose net= one of graph, mlp, separable",
    "net=null": "net=null must name an option, got none; there is graph, mlp, separable",
    "evaluation.metrics=5": "evaluation.metrics must be a list such as [a,b], got 5",
    "seed=${nix}": "Interpolation key 'nix' not found full_key: seed object_type=Config; ${...} must stand for",
    "net={a:1}": "net.a is not a setting; did you mean",
    "modulation.scale=1e300": "modulation.scale must be a number of at most 1e+18, got 1e+300",
    "evaluation.box_scale=1e10": "evaluation.box_scale must be above 0 and at most 1000, got 10000000000.0",
    "outputs=": "outputs must be the name of a folder such as outputs, got ''",
    "outputs=/dev/null": "outputs must be a folder, got /dev/null, which is none; name another",
    "data=files data.path=5 data.states=[q]": "data=files needs data.path, the file or the folder of trajectories, got",
    "data=files data.path=nix data.states=[q]": "nix: must be there, got no such file or folder; check how it is",
    "-m seed=range(0,0)": "seed=range(0,0) must name values to sweep over, got none; give it one or more",
    "--nix": "unrecognized arguments: --nix; --hydra-help lists the flags of Hydra",
    "system=double_pendulum dynamics=mechanical dynamics.mass=nothing": "dynamics.mass must be one of full, diagonal, "
    "constant, known, got 'nothing'; write known",
}


@pytest.fixture
def typed(tmp_path, monkeypatch, capfd):
    """train.py in this process and an empty folder: exit code, what it printed, what it complained about."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        for name in [name for name in os.environ if name.startswith(("WANDB", "HYDRA"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setattr(sys, "argv", [str(TRAIN), *words])
        code = 0
        try:
            runpy.run_path(str(TRAIN), run_name="__main__")
        except SystemExit as end:
            code = end.code
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    yield call
    assert list(tmp_path.iterdir()) == []


@pytest.mark.few(3)
@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(typed, command):
    code, printed, complaint = typed(*command.split())
    assert (code, printed) == (2, "")
    assert "Traceback" not in complaint
    assert complaint.count("\n") == 1
    assert complaint.startswith(f"error: {MISTAKES[command]}")


@pytest.mark.parametrize("command", [*MISTAKES][:2])
def test_a_mistake_is_told_so_by_a_process_of_its_own(train, command):
    done = train(*command.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {MISTAKES[command]}")


@pytest.mark.parametrize("command", ["trainer.stepz=3", "evaluation.metrics=[poisson_degeneracy]"])
def test_a_mistake_is_found_before_anything_heavy_is_imported(train, command):
    done = train(command, python=("-X", "importtime"))
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "hydra" in imported
    assert not imported & {"torch", "lightning", "torchmetrics", "wandb", "matplotlib"}


def test_help_lists_every_group_with_its_options(train):
    done = train("--help", python=("-X", "importtime"))
    assert done.returncode == 0
    for group, options in groups().items():
        assert f"\n{group}: {', '.join(options)}\n" in done.stdout
    assert "| torch\n" not in done.stderr


@pytest.mark.few(1)
@pytest.mark.parametrize("command", ["-m shots=0,-1", "-m modulation=svd rank=0,-1"])
def test_every_job_of_a_sweep_that_fails_is_told_and_the_sweep_fails(train, command):
    done = train(*command.split())
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("error: ") for line in lines)
    assert "must be at least 1, got 0" in lines[0]
    assert "must be at least 1, got -1" in lines[1]
    assert "2 jobs failed" in lines[2]


def test_a_name_that_is_not_known_stops_a_sweep_before_its_first_job(train):
    done = train("-m", "system=pendulum,pendulm", "shots=0")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "system=pendulm is not known; did you mean pendulum or" in done.stderr
