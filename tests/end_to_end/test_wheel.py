"""What `pip install metastruct` gives: a wheel in an environment and a folder of its own, without the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from metastruct.config.facts import CONF

pytestmark = pytest.mark.torture
REPOSITORY = CONF.parent
BUILT_FROM = ("src", "conf", "tests", "setup.py", "pyproject.toml", "README.md", "LICENSE")
TINY = (
    *("trainer.steps=20", "trainer.steps_per_epoch=10", "trainer.accelerator=cpu", "logger=none", "shots=10"),
    *("data.train_tasks=4", "data.test_tasks=2", "data.points=20", "data.horizon=2", "evaluation.grid=11"),
    *("net.width=8", "evaluation.figures=false"),
)
SCRIPT = """
import numpy as np
import metastruct

times = np.linspace(0, 4, 40)
members = {f"spring {k}": [(times, np.stack([np.cos(k * times), -k * np.sin(k * times)], -1))] * 2 for k in (1, 2, 3)}
family = metastruct.Family.from_arrays(members, states=["q", "p"])
settings = {"trainer.steps": 20, "trainer.accelerator": "cpu", "net.width": 8}
model = metastruct.fit(family, steps=None, settings=settings, progress=False)
states = members["spring 2"][0][1]
member = metastruct.load(model.folder).adapt(states, times=times)
member.save("member.safetensors")
assert np.isfinite(metastruct.load_member("member.safetensors").rollout(states[0], times)).all()
assert not metastruct.__file__.startswith(REPOSITORY)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """Its folder of commands: the wheel is there, and of this environment the other packages are."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in BUILT_FROM:
        origin = REPOSITORY / name
        kept = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(origin, source / name, ignore=kept) if origin.is_dir() else shutil.copy(origin, source / name)
    build = [sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "--no-build-isolation", "-q", "-w", folder]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    (libraries,) = folder.glob("venv/lib/python*/site-packages")
    (libraries / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", folder / "venv" / "bin" / "python", "install", "--no-deps"]
    subprocess.run([*install, "--no-index", "-q", wheel], check=True)
    return folder / "venv" / "bin"


@pytest.fixture
def typed(environment, tmp_path):
    """Runs a command of the environment in an empty folder, without a path to the repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WANDB", "METASTRUCT"))}

    def call(command: str, *words: str, path: str = "") -> subprocess.CompletedProcess[str]:
        where = kept | {"PYTHONPATH": path} if path else kept
        line = [environment / command, *words]
        return subprocess.run(line, cwd=tmp_path, env=where, capture_output=True, text=True, check=False)

    return call


def test_a_wheel_holds_every_yaml_and_no_test_of_ours_but_the_contracts(environment):
    (wheel,) = environment.parents[1].glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {f"metastruct/conf/{path.relative_to(CONF)}" for path in CONF.rglob("*.yaml")} <= held
    assert "metastruct/py.typed" in held
    assert not [name for name in held if "end_to_end" in name or name.startswith("tests/")]


def test_a_model_is_fitted_loaded_adapted_and_saved(typed):
    done = typed("python", "-c", SCRIPT.replace("REPOSITORY", repr(str(REPOSITORY))))
    assert done.returncode == 0, done.stderr


def test_a_training_and_a_sweep_end_and_a_mistake_is_told(typed, tmp_path):
    done = typed("metastruct", "train", *TINY)
    assert done.returncode == 0, done.stderr
    sweep = typed("metastruct", "train", "-m", *TINY, "seed=1,2", "hydra/launcher=gpu_pool")
    assert sweep.returncode == 0, sweep.stderr
    assert len([*tmp_path.glob("outputs/pendulum-svd5-seed*/metrics.json")]) == 3
    mistake = typed("metastruct", "train", "modulation=svdd")
    assert (mistake.returncode, mistake.stderr) == (2, "error: modulation=svdd is not known; did you mean svd?\n")


def test_a_system_of_somebody_else_is_checked(typed):
    own = REPOSITORY / "examples" / "own_pieces"
    done = typed("metastruct", "check", "system=quartic", "--config-dir", str(own / "conf"), path=str(own))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
