"""What is in no key changes no number, what is in one changes it, and neither does the machine around a run."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from processes import begin

from metastruct.config.facts import CONF, options, settings_of
from metastruct.config.schema import Config
from metastruct.config.words import worded
from metastruct.running.experiment import run
from metastruct.running.keys import evaluation_key, in_a_key
from metastruct.runs.folder import RunFolder

TRAIN = CONF.parent / "train.py"
VALUES = {  # of every setting that is in no key: two that a user may choose
    "trainer.name": None,
    "trainer.steps_per_epoch": ("5", "20"),
    "trainer.accelerator": ("cpu", "auto"),
    "trainer.threads": ("1", "2"),
    "trainer.compile": ("never", "auto"),
    "trainer.checkpoint_seconds": ("0", "60"),
    "trainer.work": ("1.0", "5.0"),
    "logger.name": None,
    "logger.mode": ("disabled", "offline"),
    "logger.project": ("metastruct", "another"),
    "evaluation.figures": ("false", "true"),
    "evaluation.formats": ("[png]", "[svg]"),
    "evaluation.animation": ("false", "true"),
    "outputs": None,  # every run of this file has its own
    "tag": ("main", "another"),
    "force": ("false", "true"),
    "replicas": ("1", "2"),
}
EXACT = ("adaptation=gradient", "adaptation=levenberg_marquardt")


def settings_there(cfg: DictConfig) -> list[str]:
    """Every setting, of groups by their own."""
    found: list[str] = []
    for each in fields(Config):
        value = cfg[each.name]
        found += [f"{each.name}.{key}" for key in value] if isinstance(value, DictConfig) else [each.name]
    return found


def records_of(folder: RunFolder) -> list[dict[str, str]]:
    with open(folder.records, newline="") as file:
        return [{key: value for key, value in row.items() if key != "experiment"} for row in csv.DictReader(file)]


def assert_close(ours: list[dict[str, str]], theirs: list[dict[str, str]]) -> None:
    for one, another in zip(ours, theirs, strict=True):
        assert one | {"value": ""} == another | {"value": ""}
        expected = pytest.approx(float(another["value"]), rel=1e-6, abs=1e-9, nan_ok=True)
        assert float(one["value"]) == expected, one["metric"]


def test_every_setting_outside_of_keys_has_two_values_here(composed):
    outside = {setting for setting in settings_there(composed()) if not in_a_key(setting)}
    assert outside == {*VALUES}


@pytest.fixture(scope="module")
def usual(tiny, tmp_path_factory) -> dict[str, list]:
    """The records with the first value of every setting."""
    first = [f"{setting}={values[0]}" for setting, values in VALUES.items() if values]
    outputs = tmp_path_factory.mktemp("usual") / "outputs"
    return {adaptation: records_of(run(tiny(outputs, adaptation, *first))) for adaptation in EXACT}


@pytest.mark.few(1)
@pytest.mark.parametrize("setting", [setting for setting, values in VALUES.items() if values])
def test_a_setting_outside_of_keys_changes_no_record(tiny, usual, tmp_path, monkeypatch, setting):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    if setting == "trainer.accelerator" and torch.cuda.is_available():
        pytest.skip("a GPU has digits of its own")
    first = [f"{other}={values[0]}" for other, values in VALUES.items() if values and other != setting]
    for adaptation in EXACT:
        folder = run(tiny(tmp_path / "outputs", adaptation, *first, f"{setting}={VALUES[setting][1]}"))
        if setting == "replicas":  # in batched products, whose last digits are others
            assert_close(records_of(folder), usual[adaptation])
        else:
            assert records_of(folder) == usual[adaptation]
    torch.set_num_threads(threads)


def other(value: Any, law: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    return None


def test_every_setting_in_a_key_changes_it(composed):
    cfg = composed()
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    before, seen = evaluation_key(plain), 0
    for setting in settings_there(cfg):
        if not in_a_key(setting) or setting == "rank":
            continue
        changed: Any = OmegaConf.to_container(cfg, resolve=True)
        group, _, name = setting.partition(".")
        place, key = (changed[group], name) if name else (changed, group)
        if setting == "data.name":
            continue  # the name of the only source
        place[key] = other(place[key], None) if other(place[key], None) is not None else "something else"
        assert evaluation_key(changed) != before, setting
        seen += 1
    assert seen > 50


def test_the_rank_of_the_command_line_is_in_the_key_by_the_modulation(composed):
    keys = {evaluation_key(OmegaConf.to_container(composed(f"rank={rank}"), resolve=True)) for rank in (2, 3)}
    assert len(keys) == 2
    assert "rank" in settings_of("modulation", "svd")
    assert "svd" in options("modulation")


# The machine around a run

PYTHONS = {
    "an order of sets of its own": {"PYTHONHASHSEED": "random"},
    "another order of sets": {"PYTHONHASHSEED": "4294967295"},
    "no assertions": {"PYTHONOPTIMIZE": "2"},
    "warnings that are errors": {"PYTHONWARNINGS": "error"},
    "the eyes of a developer": {"PYTHONDEVMODE": "1", "PYTHONTRACEMALLOC": "1", "PYTHONMALLOC": "debug"},
    "a safe path": {"PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1"},
    "no bytecode": {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
    "bytecode elsewhere": {"PYTHONPYCACHEPREFIX": "/proc"},
    "letters of one kind": {"PYTHONUTF8": "1", "PYTHONIOENCODING": "ascii:strict"},
    "a path that leads nowhere": {"PYTHONPATH": os.environ.get("PYTHONPATH", "") + ":/nowhere:/dev/null:"},
    "no end": {"PYTHONINSPECT": "1", "PYTHONSTARTUP": "/nowhere", "PYTHONBREAKPOINT": "0"},
    "short numbers": {"PYTHONINTMAXSTRDIGITS": "640", "PYTHONFAULTHANDLER": "1", "PYTHONASYNCIODEBUG": "1"},
}
SURROUNDINGS = {
    "a SLURM job of eight tasks": {
        "SLURM_JOB_ID": "5", "SLURM_NTASKS": "8", "SLURM_JOB_NAME": "batch", "SLURM_PROCID": "3", "SLURM_LOCALID": "3",
        "SLURM_NODEID": "1", "SLURM_NTASKS_PER_NODE": "4", "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_NNODES": "2",
    },
    "an interactive SLURM shell": {"SLURM_JOB_ID": "5", "SLURM_NTASKS": "8", "SLURM_JOB_NAME": "bash"},
    "torchrun": {
        "RANK": "3", "LOCAL_RANK": "3", "WORLD_SIZE": "8", "GROUP_RANK": "0", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "1", "LOCAL_WORLD_SIZE": "8", "TORCHELASTIC_RUN_ID": "x", "NODE_RANK": "1",
    },
    "Open MPI": {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "2"},
    "MPICH": {"PMI_RANK": "2", "PMI_SIZE": "4", "MV2_COMM_WORLD_RANK": "2", "MPI_LOCALRANKID": "2"},
    "LSF": {
        "LSB_JOBID": "7", "LSB_DJOB_RANKFILE": "/nowhere", "JSM_NAMESPACE_RANK": "2", "JSM_NAMESPACE_LOCAL_RANK": "2",
        "JSM_NAMESPACE_SIZE": "4", "LSB_HOSTS": "a b c d",
    },
    "Kubeflow and XLA": {"KUBERNETES_PORT": "tcp://127.0.0.1:443", "MASTER_ADDR": "a", "MASTER_PORT": "1",
                         "WORLD_SIZE": "4", "RANK": "2", "XRT_TPU_CONFIG": "x"},
    "PBS and Ray": {
        "PBS_JOBID": "7.a", "PBS_NODEFILE": "/nowhere", "PBS_NP": "8", "PBS_ENVIRONMENT": "PBS_BATCH", "NCPUS": "8",
        "RAY_ADDRESS": "127.0.0.1:1", "RAY_JOB_ID": "1",
    },
    "another language, clock and count of threads": {
        "LC_ALL": "tr_TR.UTF-8", "LANG": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "", "HYDRA_FULL_ERROR": "1", "HOME": "/nowhere",
    },
    "defaults of Lightning": {
        "PL_TRAINER_GRADIENT_CLIP_VAL": "0.01", "PL_TRAINER_ACCUMULATE_GRAD_BATCHES": "3", "PL_GLOBAL_SEED": "99",
        "PL_TRAINER_LIMIT_TRAIN_BATCHES": "1", "PL_TRAINER_PRECISION": "bf16-true",
        "PL_TRAINER_OVERFIT_BATCHES": "1", "PL_TRAINER_DETECT_ANOMALY": "1", "PL_TRAINER_PROFILER": "simple",
    },
    "a trial run of Lightning": {"PL_TRAINER_FAST_DEV_RUN": "1", "PL_TRAINER_DEFAULT_ROOT_DIR": "/nowhere"},
    "Grid Engine and Flux": {"JOB_ID": "5", "NSLOTS": "8", "PE_HOSTFILE": "/nowhere", "FLUX_TASK_RANK": "2",
                             "FLUX_JOB_SIZE": "4", "PALS_RANKID": "2"},
    "no home": {"HOME": "", "USER": "", "LOGNAME": "", "XDG_CACHE_HOME": "/nowhere", "MPLCONFIGDIR": "/nowhere"},
    "a home that is a file": {"HOME": "/dev/null", "XDG_CONFIG_HOME": "/dev/null", "NETRC": "/dev/null/x"},
    "a dumb terminal": {"TERM": "dumb", "COLUMNS": "1", "LINES": "1", "NO_COLOR": "1"},
    "a terminal of many colours": {"TERM": "xterm-256color", "COLUMNS": "100000", "FORCE_COLOR": "1"},
    "an ASCII locale": {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a locale that is not there": {"LC_ALL": "xx_YY.nix", "LANGUAGE": "xx", "PYTHONIOENCODING": "latin-1"},
    "a notebook": {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "JPY_PARENT_PID": "1"},
    "no folder for what is thrown away": {"TMPDIR": "", "TEMP": "/nowhere", "TMP": "/nowhere"},
    "a folder for what is thrown away that is not there": {"TMPDIR": "/nowhere/" + "x" * 120},
    "GPUs that are none": {"CUDA_VISIBLE_DEVICES": "NoDevFiles", "NVIDIA_VISIBLE_DEVICES": "void"},
    "a step of srun": {"SLURM_JOB_ID": "5", "SLURM_STEP_ID": "0", "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"},
    "an array of SLURM": {"SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "3", "SLURM_NTASKS": "x"},
    "a heterogeneous job of SLURM": {"SLURM_JOB_ID": "5", "SLURM_HET_SIZE": "2", "SLURM_TASKS_PER_NODE": "2(x2)"},
    "torchrun without a port": {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"},
    "words of its own for ranks": {"RANK": "gold", "WORLD_SIZE": "", "LOCAL_RANK": "", "JSM_NAMESPACE_RANK": "x"},
    "Intel MPI": {"I_MPI_INFO": "x", "PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALNRANKS": "2", "MPI_LOCALRANKID": "1"},
    "PMIx": {"PMIX_RANK": "1", "PMIX_NAMESPACE": "x", "OMPI_MCA_x": "y"},
    "LSF without jsrun": {"LSB_JOBID": "7", "LSB_MCPU_HOSTS": "a 2 b 2", "LSF_ENVDIR": "/nowhere"},
    "an empty job of LSF": {"LSB_JOBID": "", "LSB_DJOB_RANKFILE": "", "LSB_HOSTS": ""},
    "Chinese letters": {"LC_ALL": "zh_CN.GB18030", "PYTHONIOENCODING": "gb18030"},
    "letters of two bytes": {"PYTHONIOENCODING": "utf-16"},
    "a terminal without a size": {"TERM": "", "COLUMNS": "abc", "LINES": "-1"},
    "a terminal of no column": {"TERM": "xterm-kitty", "COLUMNS": "0", "TTY_COMPATIBLE": "1"},
    "a window that is not there": {"MPLBACKEND": "TkAgg", "DISPLAY": ":99"},
    "no such backend": {"MPLBACKEND": "nonsense", "MATPLOTLIBRC": "/dev/null"},
    "a file for what is thrown away": {"TMPDIR": "/dev/null"},
    "a folder for what is thrown away that takes nothing": {"TMPDIR": "/proc"},
    "a home that takes nothing": {"HOME": "/proc"},
    "a home beside": {"HOME": "beside", "TMPDIR": "beside"},
    "a GPU that is not there": {"CUDA_VISIBLE_DEVICES": "GPU-00000000-0000-0000-0000-000000000000"},
    "a space for GPUs": {"CUDA_VISIBLE_DEVICES": " ", "ROCR_VISIBLE_DEVICES": "x"},
    **PYTHONS,
    "GPUs that end early": {"CUDA_VISIBLE_DEVICES": "-1,0,1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
}  # fmt: skip


@pytest.fixture(scope="module")
def foreign(tiny, tmp_path_factory) -> bytes:
    """A checkpoint of another training, as Lightning leaves it in a job that is to end."""
    from metastruct.running.training import fit

    kept = {}

    def keep(learner, folder, *more):
        fit(learner, folder, *more)
        learner.trainer.save_checkpoint(folder / "it")
        kept["content"] = (folder / "it").read_bytes()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metastruct.running.training.fit", keep)
        run(tiny(tmp_path_factory.mktemp("foreign") / "outputs", "system=duffing", "trainer.steps=15"))
    return kept["content"]


@pytest.fixture
def around(foreign, bare_environment, tmp_path) -> Callable[[dict[str, str]], dict[str, str]]:
    """The environment with these variables, amid foreign checkpoints."""

    def made(variables: dict[str, str]) -> dict[str, str]:
        for place in (tmp_path, tmp_path / "tmp"):
            place.mkdir(exist_ok=True)
            for number in (0, 1, 7):
                (place / f"hpc_ckpt_{number}.ckpt").write_bytes(foreign)
        return bare_environment | {"TMPDIR": str(tmp_path / "tmp")} | variables

    return made


FREQUENT = ("a SLURM job of eight tasks", "torchrun")
NAMES = [name if name in FREQUENT else pytest.param(name, marks=pytest.mark.torture) for name in SURROUNDINGS]


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_changes_no_record(tiny_words, around, usual, tmp_path, name):
    words = [TRAIN, *tiny_words, f"outputs={tmp_path / 'outputs'}"]
    done = begin(words, tmp_path, around(SURROUNDINGS[name])).result()
    assert done.returncode == 0, done.stderr
    (metrics,) = (tmp_path / "outputs").glob("*/metrics.json")
    assert records_of(RunFolder(metrics.parent)) == usual["adaptation=levenberg_marquardt"]


@pytest.mark.torture
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_nor_does_it_where_python_starts_anew(tiny_words, around, usual, tmp_path, name):
    command = [sys.executable, str(TRAIN), *tiny_words, f"outputs={tmp_path / 'outputs'}"]
    surroundings = around(SURROUNDINGS[name])
    process = subprocess.run(command, env=surroundings, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    (metrics,) = (tmp_path / "outputs").glob("*/metrics.json")
    assert records_of(RunFolder(metrics.parent)) == usual["adaptation=levenberg_marquardt"]


FOLDERS = ("o/runs (copy)", "a,b", "it's", 'a"b', "[v2]", "[/red]", ":100:", "x#y", "{a}", "a%20b%s", "$HOME", "a\\b",
           "\u00e9/\u65e5\u672c", "a=b", "./-x", "a:b", "a*?", "a\tb", "[link=http://x]y[/link]", "a&b;c", "+a", "@a",
           "x" * 200)  # fmt: skip


@pytest.mark.torture
@pytest.mark.parametrize("name", FOLDERS)
def test_the_name_of_the_outputs_folder_changes_no_record(tiny_words, bare_environment, usual, tmp_path, name):
    done = begin([TRAIN, *tiny_words, f"outputs={worded(name)}"], tmp_path, bare_environment).result()
    assert done.returncode == 0, done.stderr
    (metrics,) = (tmp_path / name).glob("*/metrics.json")
    assert records_of(RunFolder(metrics.parent)) == usual["adaptation=levenberg_marquardt"]
    place, printed = ("".join(text.split()) for text in (str(metrics.parent.relative_to(tmp_path)), done.stdout))
    assert place in printed


def test_a_signal_of_slurm_leaves_no_checkpoint_outside_of_the_training(tiny_words, bare_environment, tmp_path):
    words = [*tiny_words, "trainer.steps=4000", "trainer.checkpoint_seconds=0", f"outputs={tmp_path / 'outputs'}"]
    surroundings = bare_environment | SURROUNDINGS["a SLURM job of eight tasks"] | {"TMPDIR": str(tmp_path)}
    command = begin([TRAIN, *words], tmp_path, surroundings)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("outputs/training/*/step-*.sha256")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(command.process.pid, signal.SIGUSR1)
    time.sleep(0.5)
    command.end(signal.SIGKILL)
    assert list(tmp_path.glob("outputs/training/*/step-*.sha256"))
    assert not list(tmp_path.rglob("hpc_ckpt*"))
    shutil.rmtree(tmp_path / "outputs")
