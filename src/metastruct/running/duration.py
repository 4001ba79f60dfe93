"""How many outer steps a time allows.

Rates fall along the whole of a training, so its number of steps has to be known at its first one. It is found from the
speed of some steps of a copy, before anything is trained; from then on it is a training of that many steps, which ends
with the numbers of `trainer.steps=` as many, and a checkpoint keeps it.
"""

from __future__ import annotations

import sys

from metastruct.learners.learner import Learner

SHARE = 0.05  # of the time, that is taken to measure the speed
BLOCK = 20  # outer steps between two looks at the clock


def steps_within(seconds: float, learner: Learner) -> int:
    """The outer steps that one seed makes in this time.

    Args:
        learner: before its first step, on its device; it is used up.
    """
    learner.steps, learner.steps_per_epoch = sys.maxsize, BLOCK
    learner.configure_optimizers()
    span, share = _span(learner, SHARE * seconds), learner.optimizer.share_by_residuals
    if share:
        span += share * (_span(learner, SHARE * seconds, last=True) - span)
    return max(1, round(seconds / span))


def _span(learner: Learner, seconds: float, last: bool = False) -> float:
    """How long an outer step takes, or one of those that end a training, looked at for so many seconds."""

    def advance() -> None:
        if last:
            learner.steps = learner.outer_step + 1
        learner.advance()

    start, before = learner.clock(), learner.outer_step
    advance()  # which also makes what all later ones use
    began, first = learner.clock(), learner.outer_step
    while (last or not learner.ended) and learner.clock() - began < seconds:
        advance()
    if learner.outer_step == first:
        began, first = start, before
    return (learner.clock() - began) / (learner.outer_step - first)
