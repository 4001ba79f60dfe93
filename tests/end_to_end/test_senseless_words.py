"""What makes no sense is refused in one line with its key and a fix, with exit code 2, before anything is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from senseless import command

from metastruct.config.facts import CONF
from metastruct.running import experiment
from metastruct.running.command_line import train

SAMPLE = 800
PROCESSES = 40
TRAIN = CONF.parent / "train.py"
BAR = 1.5  # processor seconds of an answer
BARE = 0.25  # of a process that imports numpy, omegaconf and hydra, where the bar was set
FIX = re.compile(
    r"must be|must have|must hold|must name|must give|choose|use \w|leave \w+ out|leave it|did you mean|there is|write|"
    r"lower|raise|change it|change one|needs a value|no settings|Available options|give each|has no meaning"
)


class Accepted(BaseException):
    """A run would begin."""


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """What is said of words that are refused before torch is imported, as a rehearsal of the model does first."""

    def begins(*_: object) -> None:
        raise Accepted

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiment, "rehearse", begins)

    def call(words: list[str]) -> str:
        monkeypatch.setattr(sys, "argv", ["train.py", *words])
        with pytest.raises(SystemExit) as end:
            train(words)
        said = capsys.readouterr()
        assert (end.value.code, said.out, said.err.count("\n")) == (2, "", 1), said
        assert not [*tmp_path.iterdir()]
        return said.err

    return call


@pytest.mark.few(8)
@pytest.mark.parametrize("number", range(SAMPLE))
def test_a_command_line_that_makes_no_sense_is_refused_in_one_line(refused, number):
    words, key = command(number)
    said = refused(words)
    assert said.startswith("error: "), words
    names = [part for name in key.split("|") for part in name.split(".")]
    assert any(re.search(rf"\b{re.escape(name)}", said) for name in names), (words, said)
    assert FIX.search(said), (words, said)


def test_the_words_that_others_are_made_of_begin_a_run(refused, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    with pytest.raises(Accepted):
        train(["logger=none"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["logger=none", "-m", "seed=range(0,0)"], "seed=range(0,0) must name values to sweep over, got none"),
        (["~evaluation.metrics"], "evaluation.metrics needs a value, got none; leave ~evaluation.metrics out"),
        (["~locality.lambda_z"], "locality.lambda_z needs a value, got none; leave ~locality.lambda_z out"),
        (["data=files", "data.path=???"], "data.path needs a value, got ???; leave it out for its default"),
    ],
)
def test_what_is_left_out_is_told_by_its_key(refused, words, said):
    assert refused(words).startswith(f"error: {said}")


def ended(words, folder):
    """Exit code, what was complained of, and processor seconds of a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(
        [sys.executable, *words], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    ) as it:
        told = it.stderr.read()
        _, status, usage = os.wait4(it.pid, 0)
        it.returncode = os.waitstatus_to_exitcode(status)
    return it.returncode, told, usage.ru_utime + usage.ru_stime


@pytest.fixture(scope="module")
def slower(tmp_path_factory):
    """How much more processor time this machine takes now than the one where the bar was set; at least one."""
    words = ["-c", "import numpy, omegaconf, hydra"]
    return max(1.0, min(ended(words, tmp_path_factory.mktemp("bare"))[2] for _ in range(2)) / BARE)


@pytest.mark.few(3)
@pytest.mark.parametrize("number", range(SAMPLE, SAMPLE + PROCESSES))
def test_an_answer_takes_little_processor_time(slower, tmp_path, number):
    """Of a real process, the better of two, for the first may make bytecode."""
    ends = [ended([TRAIN, *command(number)[0]], tmp_path) for _ in range(2)]
    assert all((code, told.count("\n")) == (2, 1) for code, told, _ in ends), ends
    assert min(seconds for _, _, seconds in ends) < BAR * slower
    assert not [*tmp_path.iterdir()]


@pytest.mark.torture
def test_what_imports_torch_takes_more(slower, tmp_path):
    _, _, seconds = ended(["-c", "import numpy, omegaconf, hydra, torch, lightning"], tmp_path)
    assert seconds > BAR * slower
