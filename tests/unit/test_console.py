"""What is shown while a training goes on: a bar where one can be, lines where not, nothing where nothing is wanted."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from types import SimpleNamespace

import matplotlib as mpl
import pytest

from metastruct.evaluation.figures.members import SAFE, styled
from metastruct.running.tracking import console, progress


class Terminal(io.StringIO):
    """Where a line can be written over."""

    def isatty(self) -> bool:
        return True


Notebook = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})


def shown(stream: io.StringIO) -> str:
    """What a training of ten steps prints there."""
    learner = SimpleNamespace(steps=10, outer_step=0, loss=0.5)
    with redirect_stdout(stream):
        shows = progress.TrainingProgress()
        shows.on_fit_start(None, learner)
        shows.bar.mininterval = 0.0
        shows.spoken -= 2 * progress.PLAIN_EVERY
        for learner.outer_step in range(1, 11):
            shows.on_train_batch_end(None, learner)
        shows.on_fit_end(None, learner)
    return stream.getvalue()


@pytest.mark.parametrize("stream", [Terminal, Notebook])
def test_terminals_and_notebooks_have_a_bar_with_rate_time_left_and_loss(stream):
    text = shown(stream())
    assert "training" in text
    assert "10/10" in text
    assert "steps/s" in text
    assert "loss 5.00e-01" in text
    assert text.count("\n") == 0  # one line, written over


def test_elsewhere_a_line_comes_now_and_then():
    assert shown(io.StringIO()) == "training: outer step 1 of 10, loss 5.00e-01\n"


def test_a_notebook_can_be_silenced(monkeypatch):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    silence = io.StringIO()
    with redirect_stdout(silence):
        console.note("said")
    assert silence.getvalue() == "said\n"


def test_a_look_takes_back_what_it_set_and_nothing_else():
    before = mpl.rcParams["axes.prop_cycle"], mpl.rcParams["interactive"]
    with styled():
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == [*SAFE]
        mpl.rcParams["interactive"] = not before[1]  # as a notebook's backend does
    try:
        assert (mpl.rcParams["axes.prop_cycle"], mpl.rcParams["interactive"]) == (before[0], not before[1])
    finally:
        mpl.rcParams["interactive"] = before[1]
