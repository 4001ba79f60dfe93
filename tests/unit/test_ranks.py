from __future__ import annotations

import os

import pytest

from metastruct.running.command_line import Session
from metastruct.running.ranks import RANKS, forget_words


@pytest.mark.parametrize("word", ["", "gold", "3.5", "1 2"])
def test_a_rank_that_is_no_number_is_forgotten(monkeypatch, word):
    for name in RANKS:
        monkeypatch.setenv(name, word)
    forget_words()
    assert not {*RANKS} & {*os.environ}


@pytest.mark.parametrize("word", ["0", "3", " 3 ", "-1"])
def test_a_rank_that_is_one_stays(monkeypatch, word):
    monkeypatch.setenv("RANK", word)
    forget_words()
    assert int(os.environ["RANK"]) == int(word)


def test_what_a_launcher_lacks_is_told_in_one_line(capsys):
    def main():
        raise RuntimeError('Could not detect "srun",\nare you on a cluster?')

    with pytest.raises(SystemExit) as end:
        Session().run(main)
    assert end.value.code == 1
    assert capsys.readouterr().err == (
        'error: Could not detect "srun", are you on a cluster?; leave hydra/launcher out, or use another\n'
    )
