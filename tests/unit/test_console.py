"""What is shown while a training goes on: a bar where one can be, lines where not, nothing where nothing is wanted."""

from __future__ import annotations

import io
import time
from contextlib import redirect_stdout
from types import SimpleNamespace

import matplotlib as mpl
import pytest

from metastruct.config.stages import heard, tell
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
    assert shown(io.StringIO()) == "training: step 1 of 10, loss 5.00e-01\n"


def worked(stream: io.StringIO, monkeypatch, pause: float) -> str:
    """What a long piece of work prints there, which goes through ten steps with so many seconds between them."""
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    with redirect_stdout(stream), console.working("measuring members"):
        for step in range(1, 11):
            now[0] += pause
            tell("fitting codes: step", step, 10)
    return stream.getvalue()


def test_long_work_says_what_it_does_and_now_and_then_how_far_it_is(monkeypatch):
    lines = worked(io.StringIO(), monkeypatch, pause=4.0).splitlines()
    assert lines == ["measuring members", *(f"  fitting codes: step {step} of 10" for step in (3, 6, 9))]
    assert worked(io.StringIO(), monkeypatch, pause=0.1).splitlines() == ["measuring members"]


def test_a_terminal_shows_long_work_in_one_line_that_moves_and_goes_away(monkeypatch):
    monkeypatch.setattr(console, "MOVING_EVERY", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stdout(Terminal()) as stream, console.working("measuring members"):
        tell("fitting codes: step", 7, 10)
        time.sleep(0.3)  # it is drawn ten times a second
    text = stream.getvalue()
    assert "fitting codes: step 7 of 10" in text
    assert "0:00:" in text  # the time that has passed
    assert text.count("measuring members") == 1
    assert "\x1b[2K" in text  # is erased


def test_a_part_of_long_work_speaks_to_who_listens_to_the_whole(capsys):
    heard_of = []
    with heard(lambda *words: heard_of.append(words)), console.working("a part"):
        tell("fitting codes: step", 1, 10)
    tell("to nobody", 1, 1)
    assert heard_of == [("fitting codes: step", 1, 10)]
    assert capsys.readouterr().out == "a part\n"


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
