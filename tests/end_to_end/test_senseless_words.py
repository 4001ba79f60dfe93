"""What makes no sense is refused in one line with its key and a fix, with exit code 2, before anything is written."""

from __future__ import annotations

import re
import sys
import time

import pytest
from senseless import command

from metastruct.running import experiment
from metastruct.running.command_line import train

SAMPLE = 800
FIX = re.compile(
    r"must be|must have|must hold|must name|must give|choose|use \w|leave \w+ out|leave it|did you mean|there is|write|"
    r"lower|raise|change one|needs a value|no settings|Available options|give each|has no meaning"
)


class Accepted(BaseException):
    """A run would begin."""


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """What is said of words that are refused, and the processor time that it took."""

    def begins(*_: object) -> None:
        raise Accepted

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiment, "rehearse", begins)

    def call(words: list[str]) -> tuple[str, float]:
        monkeypatch.setattr(sys, "argv", ["train.py", *words])
        began = time.process_time()
        with pytest.raises(SystemExit) as end:
            train(words)
        seconds = time.process_time() - began
        said = capsys.readouterr()
        assert (end.value.code, said.out, said.err.count("\n")) == (2, "", 1), said
        assert not [*tmp_path.iterdir()]
        return said.err, seconds

    return call


@pytest.mark.few(8)
@pytest.mark.parametrize("number", range(SAMPLE))
def test_a_command_line_that_makes_no_sense_is_refused_in_one_line(refused, number):
    words, key = command(number)
    said, _ = refused(words)
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
    assert refused(words)[0].startswith(f"error: {said}")
