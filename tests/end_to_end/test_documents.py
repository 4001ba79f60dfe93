"""Every command and every block of Python in README and docs is carried out, or, where it is long, tried in small.

By default, all that the README shows and a notebook run, settings of other trainings are composed and validated, and
words of other commands and scripts are read by them. As torture, every block of every page runs in small.
"""

from __future__ import annotations

import re
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from documents import NOTEBOOKS, PAGES, ROOT, Block, blocks, in_small
from hydra.errors import HydraException
from omegaconf import DictConfig

import metastruct
from metastruct.api import fitting
from metastruct.commands import main, parsed, subcommands
from metastruct.config.facts import options
from metastruct.config.folders import VARIABLE, without_folders
from metastruct.config.mistakes import ConfigError
from metastruct.running.experiment import run
from metastruct.running.validation import validate
from metastruct.running.validation.idle import check_idle
from metastruct.runs.arguments import Flags
from metastruct.sweeps.command import made as launched
from metastruct.sweeps.command import parsed as reproduced
from metastruct.sweeps.table import configured, tables

OUTSIDE = {"export", "pip", "wandb", "pre-commit"}  # programs that are not ours
LONG = pytest.mark.torture
READ = ("README", "first_run", "members", "extend")  # by default; the others compose dozens of runs
TRIED_ELSEWHERE = {"choose", "worth", "check"}  # in small by tests of their own; here their words are read
Tiny = Callable[..., DictConfig]


class Read(Exception):
    """A script has read its words."""


class Scene:
    """A folder where a reader types: the examples, measured tables, and what commands before have left.

    Args:
        folder: an empty one.
        tiny: makes a small configuration of words.
        real: is every training to run in small?
        small: are those to run that are marked so, and what follows from them?
    """

    def __init__(self, folder: Path, tiny: Tiny, real: bool = False, small: bool = False):
        self.folder, self.tiny, self.real, self.small = folder, tiny, real, small or real
        self.names = dict[str, Any]()
        shutil.copytree(ROOT / "examples", folder / "examples")
        table = pd.read_csv(ROOT / "examples" / "pendulums.csv").drop(columns=["dq", "dp"])
        table[["angle", "momentum"]] = table[["q", "p"]]
        for name in ("measurements.csv", "measured.csv"):
            table.to_csv(name, index=False)
        table[table.member == "rod 7"].drop(columns=["length"]).to_csv("new_member.csv", index=False)
        arm = table.rename(columns={"q": "angle", "p": "rate"})[["member", "trajectory", "t", "rate"]]
        arm.assign(angle=table.q, torque=np.sin(table.t)).to_csv("arm.csv", index=False)
        arm.assign(angle=table.q).drop(columns="rate").to_csv("positions.csv", index=False)
        waves = {f"u{site}": np.sin(table.t + site) for site in range(1, 5)}
        table[["member", "trajectory", "t"]].assign(**waves).to_csv("canal.csv", index=False)
        Path("law.py").write_text("def pendulum(x, mu):\n    return x * mu[..., :1]\n")
        times = np.linspace(0, 1, 5)
        self.names |= {"frame": table, "t": times, "x": np.stack([np.cos(times), -np.sin(times)], 1)}

    def play(self, block: Block) -> None:
        """Do what a block says."""
        if block.file:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.text)
        elif block.mark == "not here":
            return
        elif block.language == "python" and block.mark == "small" and not self.small:
            compile(block.text, "block", "exec")
        elif block.language == "python":
            exec(compile(block.text, "block", "exec"), self.names)
        elif block.language == "yaml":
            yaml.safe_load(block.text)
        elif not block.language:
            for words in block.commands:
                self.command(words, block.mark)

    def command(self, words: list[str], mark: str) -> None:
        """Carry out a command, or try whether it could be."""
        if words[:2] == ["python", "train.py"]:
            words = ["metastruct", "train", *words[2:]]
        program, *rest = words
        if program == "make":
            assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.M), rest
        elif program == ".":
            assert rest == [f"{re.search(r'^BIN := (.+)$', (ROOT / 'Makefile').read_text(), re.M)[1]}/activate"]
        elif program == "python":
            self.script(rest)
        elif program == "metastruct":
            name, *rest = rest
            assert name in subcommands()
            self.subcommand(name, rest, mark)
        else:
            assert program in OUTSIDE, words

    def script(self, words: list[str]) -> None:
        """Let a script read its words; of tables that which it would make."""
        name, *rest = words
        if Path(name).name == "reproduce.py":
            self.subcommand("reproduce", rest, "")
            return
        with pytest.MonkeyPatch.context() as patch:
            read = Flags.parse_args

            def reading(parser: Flags, *arguments: Any) -> None:
                read(parser, *arguments)
                raise Read

            patch.setattr(Flags, "parse_args", reading)
            patch.setattr(sys, "argv", [name, *(self.run if word == "RUN_FOLDER" else word for word in rest)])
            patch.syspath_prepend(str(ROOT / "scripts"))
            with pytest.raises(Read):
                runpy.run_path(str(ROOT / name), run_name="__main__")

    def subcommand(self, name: str, words: list[str], mark: str) -> None:
        """What `metastruct` does, or would do."""
        if {"--help", "--hydra-help", "--cfg"} & {*words}:
            main([name, *words])
        elif name == "train":
            self.train(without_folders(words), mark)
        elif name == "reproduce" and not self.real:
            asked = reproduced(words)
            assert {*asked.tables} <= {*tables()}
            launched(asked)
        elif name == "reproduce":
            with pytest.raises(SystemExit) as ended:
                main([name, *words, *([] if "--dry-run" in words else ["--dry-run"]), "outputs=trials"])
            assert ended.value.code == 0
        elif name == "check":
            pairs = [word.partition("=") for word in without_folders(words)]
            assert all(option in options(group) for group, _, option in pairs)
        elif name == "choose":
            first = [re.sub(r"=([^,\[]*),.*", r"=\1", word) for word in words]
            self.train(["data=files", *first], "")
        elif name in TRIED_ELSEWHERE:
            module = __import__(f"metastruct.commands.{name}", fromlist=["FLAGS"])
            parsed(words, name, module.FLAGS, module.PLACES)
        elif mark == "small" and self.small:
            main([name, *(found for word in words for found in self.expanded(word))])
        else:
            module = __import__(f"metastruct.commands.{name}", fromlist=["FLAGS"])
            parsed(words, name, getattr(module, "FLAGS", {}), module.PLACES)

    def train(self, words: list[str], mark: str) -> None:
        """Compose and validate what is to be trained; train it in small where that is asked for."""
        sweep = "-m" in words
        pieces = [word for word in words if not word.startswith(("-m", "hydra"))]
        if sweep:
            pieces = [re.sub(r"=([^,\[]*),.*", r"=\1", word) for word in pieces]
        cfg = configured(*pieces)
        validate(cfg)
        check_idle(cfg, pieces)
        if (mark == "small" and self.small) or self.real:
            few = {"trainer.steps", "outputs", "replicas"}
            kept = [word for word in pieces if word.partition("=")[0] not in few]
            place = next((word.partition("=")[2] for word in pieces if word.startswith("outputs=")), "outputs")
            self.run = str(run(self.tiny(place, *kept)).path)
            self.names["RUN"] = self.run

    def expanded(self, word: str) -> list[str]:
        """A word as a shell hands it over."""
        return glob(word) or [word] if "*" in word else [word]


def of_mechanics(scene: Scene) -> None:
    """A driven member and several, as a reader of that page has them."""
    scene.train(["system=driven_pendulum"], "small")
    model = metastruct.load(scene.run)
    times, u = np.linspace(0, 1, 11), np.ones((11, 1))
    states = np.random.default_rng(0).normal(size=(4, 2))
    observed = {"states": states, "dxdt": states, "inputs": u[:4], "times": times[:4]}
    members = model.adapt_many([observed, observed])
    scene.names |= {"member": members[0], "members": members, "x0": states[0], "times": times, "u": u, "t": times}
    scene.names["members"] = Several(members, states[:2])


class Several:
    """Members of which each begins where it is told, whatever a page calls the start."""

    def __init__(self, members: metastruct.Members, starts: np.ndarray):
        self.members, self.starts = members, starts

    def rollout(self, x0: np.ndarray, times: np.ndarray, **driving: Any) -> np.ndarray:
        return self.members.rollout(self.starts, times, **driving)


BEFORE = {"mechanics.md": of_mechanics}


@pytest.fixture
def small_fit(monkeypatch) -> None:
    """`metastruct.fit` of a net of a few units and of two steps."""

    def fit(family: Any, *words: Any, settings: Any = None, **more: Any) -> Any:
        tiny = {"net.width": 8, "trainer.accelerator": "cpu", "optimizer": "adam"}
        tiny |= {"evaluation.figures": False, "integrator.step_size": 0.05}
        return fitting.fit(family, *words, **more | {"steps": 2, "progress": False}, settings=(settings or {}) | tiny)

    monkeypatch.setattr(metastruct, "fit", fit, raising=False)


@pytest.fixture
def reader(tmp_path, monkeypatch, small_fit) -> Iterator[Path]:
    """An empty folder where somebody types; nothing stays of what is typed."""
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "own_pieces"))
    yield tmp_path
    plt.close("all")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("real", [False, pytest.param(True, marks=LONG)], ids=["read", "in small"])
@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.stem, marks=[] if page.stem in READ else [LONG]) for page in PAGES]
)
def test_what_a_page_shows_can_be_typed(page, real, reader, tiny):
    scene = Scene(reader, tiny, real, page.name == "README.md")
    if page.name in BEFORE and real:
        BEFORE[page.name](scene)
    for block in blocks(page):
        scene.play(block)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "notebook",
    [pytest.param(path, id=path.stem, marks=[] if path.stem == "quickstart" else [LONG]) for path in NOTEBOOKS],
)
def test_a_notebook_runs_in_small(notebook, reader, monkeypatch):
    place = reader / "docs" / "notebooks"
    place.mkdir(parents=True)
    shutil.copytree(ROOT / "examples", reader / "examples")
    monkeypatch.chdir(place)
    exec(compile(in_small(notebook), str(notebook), "exec"), {"__name__": "notebook"})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("python train.py net=unknown\n", HydraException),
        ("python train.py nt.width=3\n", ConfigError),
        ("python train.py dynamics=hamiltonian system=lorenz\n", ConfigError),
        ("python scripts/report.py --nothing\n", SystemExit),
        ("metastruct unknown\n", AssertionError),
        ("make unknown\n", AssertionError),
        ("make setup && make unknown\n", AssertionError),
        ("make setup && . venv/bin/activate\n", AssertionError),
        ("somebody else\n", AssertionError),
        ("metastruct forecast a --form 1\n", ValueError),
    ],
)
def test_a_command_that_cannot_be_typed_would_be_seen(text, error, reader, tiny):
    scene = Scene(reader, tiny)
    with pytest.raises(error):
        scene.play(Block("", text))


def test_a_mistake_in_a_block_of_python_would_be_seen(reader, tiny):
    with pytest.raises(AttributeError):
        Scene(reader, tiny).play(Block("python", "import metastruct\nmetastruct.nothing\n"))
