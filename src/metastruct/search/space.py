"""What is searched: for each method, laws from which settings of its training and of its adaptation are drawn.

A method's stream number fixes its draws: trial 7 of a method has the same settings whatever else is searched. All
modulations share one stream, so that a trial means the same settings for each of them, and one setting can be chosen
for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Draw = Callable[[np.random.Generator], Any]
Space = dict[str, Draw]  # setting -> law


def choice(*values: Any) -> Draw:
    return lambda rng: values[rng.integers(len(values))]


def between(low: float, high: float) -> Draw:
    """Log-uniform, to three digits."""
    return lambda rng: float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.3g}")


@dataclass(frozen=True)
class Method:
    """What train.py is told, and the spaces; where there are several, a trial draws from one of them."""

    overrides: tuple[str, ...]
    trainings: tuple[Space, ...]
    adaptations: tuple[Space, ...]
    stream: int

    def training(self, trial: int) -> list[str]:
        """Overrides of a trial; trial 0 is the yaml as it stands."""
        return self._drawn(self.trainings, trial, 0) if trial else []

    def adaptation(self, trial: int, variants: int) -> list[list[str]]:
        """Overrides of each adaptation that is tried on one training; the first of trial 0 is the yaml as it stands."""
        drawn = [self._drawn(self.adaptations, trial, variant + 1) for variant in range(variants)]
        return drawn if trial else [[], *drawn[1:]]

    def _drawn(self, spaces: tuple[Space, ...], trial: int, stream: int) -> list[str]:
        rng = np.random.default_rng([self.stream, trial, stream])
        space = spaces[rng.integers(len(spaces))]
        return [f"{key}={str(draw(rng)).lower()}" for key, draw in space.items()]


BATCHES: Space = {"learner.task_batch": choice(5, 10, 20), "learner.point_batch": choice(16, 32, 64)}
OUTER: Space = {"optimizer.base_rate": between(5e-4, 1e-2)}
META: Space = {
    "learner.inner_steps": choice(1, 3, 5, 10),
    "learner.learn_rates": choice(True, False),
    **BATCHES,
    **OUTER,
}
DESCENT: Space = {
    "adaptation": choice("descent"),
    "adaptation.steps": choice(5, 10, 20, 50, 100),
    "adaptation.rate_factor": choice(0.3, 1.0, 2.0),
}
ADAM: Space = {
    "adaptation": choice("fine_tuning"),
    "adaptation.steps": choice(30, 100, 300, 1000),
    "adaptation.learning_rate": between(1e-4, 1e-2),
}
SGD: Space = ADAM | {"adaptation.optimizer": choice("sgd"), "adaptation.learning_rate": between(3e-3, 1.0)}
ALONE: Space = {
    "adaptation.steps": choice(500, 1000, 2000, 4000),
    "adaptation.learning_rate": between(1e-3, 3e-2),
}
CODES: Space = {
    "optimizer.base_rate": between(1e-3, 2e-2),
    "optimizer.code_rate": between(3e-3, 1e-1),
    "locality": choice("none", "weak", "default"),
    "modulation.scale": choice(0.1, 0.3),
}
ON_CODES: Space = {
    "adaptation": choice("gradient"),
    "adaptation.steps": choice(300),
    "adaptation.learning_rate": between(3e-3, 1e-1),
}


def schedule(codes: str) -> Method:
    """Both ways to treat the codes of a batch, as the table `initialisation` compares them."""
    words = ("modulation=svd", "rank=5", "learner.schedule=alternating", "learner.task_batch=10")
    return Method((*words, f"learner.codes={codes}"), ({"optimizer.code_rate": between(3e-3, 3e-1)},), (ON_CODES,), 6)


def reptile(inner: str, rate: Draw) -> Space:
    return BATCHES | {
        "learner.inner_optimizer": choice(inner),
        "learner.inner_rate": rate,
        "learner.inner_steps": choice(5, 10, 20, 40),
        "learner.outer_rate": between(0.1, 1.0),
    }


def modulation(*overrides: str, adaptation: Space = ON_CODES) -> Method:
    return Method(overrides, (CODES,), (adaptation,), stream=5)


BASELINES = {
    "anil": Method(
        ("learner=anil",), (META | {"learner.inner_rate": between(2e-2, 1.0)},), (DESCENT, DESCENT, ADAM), stream=0
    ),
    "maml": Method(
        ("learner=maml",), (META | {"learner.inner_rate": between(5e-3, 0.3)},), (DESCENT, DESCENT, ADAM), stream=1
    ),
    "pretrained": Method(
        ("learner=pretrained",),
        (OUTER | {"learner.point_batch": choice(16, 64), "learner.task_batch": choice(20, 60)},),
        (ADAM, ADAM, SGD),
        stream=2,
    ),
    "reptile": Method(
        ("learner=reptile",),
        (reptile("adam", between(3e-4, 1e-2)), reptile("sgd", between(1e-2, 0.3))),
        (ADAM, ADAM, SGD),
        stream=3,
    ),
    "scratch": Method(("learner=scratch",), ({},), (ALONE,), stream=4),
}
MODULATIONS = {
    "svd": modulation("modulation=svd", "rank=5"),
    "shift": modulation("modulation=shift"),
    "rank_one": modulation("modulation=rank_one"),
    "multi_rank": modulation("modulation=multi_rank", "rank=5"),
    "full_weight": modulation("modulation=full_weight"),
    "camel": modulation("modulation=camel", adaptation={"adaptation": choice("closed_form")}),  # exact
    "geps": modulation("modulation=geps"),
}
SCHEDULES = {"evolving": schedule("evolving"), "reset": schedule("reset")}
METHODS = BASELINES | MODULATIONS | SCHEDULES
