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
    learner.advance()  # which also makes what all later ones use
    began, first = learner.clock(), learner.outer_step
    while not learner.ended and learner.clock() - began < SHARE * seconds:
        learner.advance()
    if learner.outer_step == first:
        began, first = began - learner.seconds, 0
    return max(1, round(seconds * (learner.outer_step - first) / (learner.clock() - began)))
