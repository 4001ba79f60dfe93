"""A training that a time ends: it is one of as many outer steps as fit into the time, whatever happens on the way."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
import torch

from metastruct.config.schema import ConfigError, Trainer
from metastruct.learners.learner import Learner
from metastruct.running.assembly import build_learner
from metastruct.running.duration import SHARE, steps_within
from metastruct.running.group import train_together
from metastruct.running.keys import training_settings
from metastruct.running.training import train, trained
from metastruct.running.validation import validate

STEP = 0.01  # seconds of an outer step of the clock below
SETTINGS = Trainer(accelerator="cpu", checkpoint_seconds=60.0, steps=None, seconds=1.0)
SLOWER = 30  # an iteration of Gauss-Newton over a step of Adam
BY_TIME = ("trainer.steps=null", "trainer.seconds=1")


@pytest.fixture
def clock(monkeypatch) -> dict[str, float]:
    """The time of a machine that is as fast as we say: it goes on by the steps that learners make."""
    state = {"now": 0.0, "step": STEP}
    judge = Learner._judge

    def judged(learner: Learner, losses: torch.Tensor, last: int) -> None:
        slow = learner.optimizer.by_residuals(last - 1, learner.steps)
        state["now"] += state["step"] * len(losses) * (SLOWER if slow else 1)
        judge(learner, losses, last)

    monkeypatch.setattr(Learner, "_judge", judged)
    monkeypatch.setattr(Learner, "clock", lambda learner: state["now"])
    return state


@pytest.fixture(scope="module")
def make(small, oscillators):
    """Makes a learner of a seed, whose length a time decides unless it is told the steps."""
    recordings = oscillators(4, 30)

    def made(seed: int = 0, *words: str) -> Learner:
        cfg = small(
            "optimizer=adam", *(words or BY_TIME), f"seed={seed}", learner__point_batch=4, trainer__steps_per_epoch=7
        )
        return build_learner(cfg, recordings).double()

    return made


def kept(content: bytes | None) -> dict:
    assert content is not None
    return torch.load(io.BytesIO(content), weights_only=True)


def assert_same(ours: dict, theirs: dict) -> None:
    assert ours["outer_step"] == theirs["outer_step"]
    assert ours["history"] == theirs["history"]
    assert torch.equal(ours["codes"], theirs["codes"])
    assert all(torch.equal(ours["model"][name], value) for name, value in theirs["model"].items())


def interrupt_at(patch: pytest.MonkeyPatch, at: int) -> None:
    """Every training ends with an interrupt before this outer step; measuring a speed does not."""
    advance = Learner.advance

    def broken(learner: Learner) -> None:
        if learner._trainer is not None and learner.outer_step >= at:
            raise KeyboardInterrupt
        advance(learner)

    patch.setattr(Learner, "advance", broken)


@pytest.mark.few(1)
@pytest.mark.parametrize("seconds", [0.5, 3.0])
@pytest.mark.parametrize("step", [0.01, 0.002])
def test_as_many_steps_are_made_as_fit_into_the_time(make, clock, seconds, step):
    clock["step"] = step
    assert steps_within(seconds, make()) == pytest.approx(seconds / step, rel=0.02)


@pytest.mark.torture  # on a machine with nothing else to do
def test_a_training_ends_in_its_time_by_the_clock_of_its_computing(make, tmp_path):
    result = kept(train(make(), tmp_path, SETTINGS))
    assert result["seconds"] == pytest.approx(1.0, rel=0.25)  # a tenth where a longer time gives more to measure


def test_steps_that_end_a_training_more_slowly_count_at_their_own_speed(make, clock):
    words = ("optimizer=gauss_newton", "optimizer.warm_start=0.75", "trainer.steps=null", "trainer.seconds=100")
    learner = make(0, *words)
    assert steps_within(100.0, learner) == pytest.approx(100 / (STEP * (0.75 + 0.25 * SLOWER)), rel=0.02)
    assert clock["now"] < 2 * (SHARE + 0.01) * 100


def test_measuring_the_speed_takes_its_share(make, clock):
    steps_within(100.0, make())
    assert clock["now"] < (SHARE + 0.01) * 100


def test_the_recorded_number_of_steps_repeats_it_bit_by_bit(make, clock, tmp_path):
    result = kept(train(make(), tmp_path / "time", SETTINGS))
    assert result["outer_step"] == 100
    settings = Trainer(accelerator="cpu", checkpoint_seconds=60.0, steps=100)
    assert_same(result, kept(train(make(0, "trainer.steps=100"), tmp_path / "steps", settings)))
    other = kept(train(make(0, "trainer.steps=101"), tmp_path / "other", settings))
    assert not torch.equal(result["codes"], other["codes"])


@pytest.mark.torture
@pytest.mark.parametrize("at", [14, 98])
def test_a_training_that_goes_on_keeps_its_number_of_steps_on_a_slower_machine(make, clock, tmp_path, at):
    whole = kept(train(make(), tmp_path / "whole", SETTINGS))
    stopped = tmp_path / "stopped"
    saving = replace(SETTINGS, checkpoint_seconds=0.0)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, at)
        with pytest.raises(KeyboardInterrupt):
            train(make(), stopped, saving)
    assert not list(stopped.glob("model.ckpt"))
    clock["step"] = 3 * STEP
    assert_same(kept(train(make(), stopped, SETTINGS)), whole)


def test_a_training_that_begins_anew_measures_anew(make, clock, tmp_path):
    train(make(), tmp_path, SETTINGS)
    clock["step"] = 2 * STEP
    assert kept(train(make(), tmp_path, SETTINGS, again=True))["outer_step"] == 50


@pytest.mark.torture
def test_seeds_that_are_trained_together_make_the_steps_that_one_makes_alone(make, clock, tmp_path):
    learners = {tmp_path / f"pendulum-method-seed{seed}-key": (lambda seed=seed: make(seed)) for seed in (0, 1)}
    train_together(learners, SETTINGS)
    for seed, folder in enumerate(learners):
        ours, alone = kept(trained(folder)), kept(train(make(seed), tmp_path / f"alone{seed}", SETTINGS))
        assert ours["outer_step"] == alone["outer_step"] == 100
        torch.testing.assert_close(ours["codes"], alone["codes"], rtol=1e-2, atol=1e-4)


def test_a_time_is_in_the_training_key_in_the_place_of_the_steps(composed):
    cfg = composed("trainer.seconds=60")
    assert cfg.trainer.steps is None
    settings = training_settings(cfg)
    assert settings["seconds"] == 60
    assert "steps" not in settings
    assert "seconds" not in training_settings(composed("trainer.steps=60"))


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("trainer.seconds=60 trainer.steps=600", r"trainer\.steps must be null where trainer\.seconds=60"),
        ("trainer.seconds=60 experiment=quick", r"trainer\.steps must be null where trainer\.seconds=60"),
        ("trainer.steps=null", r"trainer\.steps needs a number"),
        ("trainer.seconds=0", r"trainer\.seconds must be above 0"),
        ("trainer.seconds=nan", r"trainer\.seconds must be above 0"),
        ("trainer.seconds=inf", r"trainer\.seconds must be above 0"),
        ("trainer.seconds=60 learner=scratch", r"trainer\.seconds has no meaning for learner=scratch"),
    ],
)
def test_what_makes_no_sense_of_a_time_is_refused(composed, words, why):
    with pytest.raises(ConfigError, match=why):
        validate(composed(*words.split()))


def test_a_time_alone_is_accepted(composed):
    validate(composed("trainer.seconds=0.5"))
    validate(composed("trainer.seconds=60", "trainer.steps=null", "learner=maml"))
