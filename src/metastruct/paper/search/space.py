"""What is searched: for each method, laws from which settings of its training and of its adaptation are drawn.

The fact `search` of a yaml declares them: `training` and `adaptation` are each a list of spaces, of which a trial draws
one; a space gives a setting its choices, a list, or log-uniform bounds, "1e-3 to 2e-2". A learner that brings its own
modulation is a method; the others give their spaces to every modulation with a code, which may declare its own.

The number `stream` fixes the draws of a method: trial 7 has the same settings whatever else is searched. Modulations
share one stream, so that a trial means the same settings for each of them, and one setting can be chosen for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metastruct.config.facts import by_default, facts_of, in_order
from metastruct.paper.methods import MODULATIONS as PUBLISHED
from metastruct.paper.methods import SVD, stem, with_codes

Draw = Callable[[np.random.Generator], Any]
Space = Mapping[str, Draw]  # setting -> law


def choice(*values: Any) -> Draw:
    """Draws one of these values, each as likely."""
    return lambda rng: values[rng.integers(len(values))]


def between(low: float, high: float) -> Draw:
    """Log-uniform, to three digits."""
    return lambda rng: float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.3g}")


def law(declared: str | Sequence[Any]) -> Draw:
    """Of choices, or of bounds such as "1e-3 to 2e-2"."""
    if isinstance(declared, str):
        low, _, high = declared.partition(" to ")
        return between(float(low), float(high))
    return choice(*declared)


@dataclass(frozen=True)
class Method:
    """What train.py is told, and the spaces; where there are several, a trial draws from one of them."""

    overrides: tuple[str, ...]
    trainings: tuple[Space, ...]
    adaptations: tuple[Space, ...]
    stream: int
    trains: bool = True

    @classmethod
    def declared(cls, overrides: Sequence[str], facts: Mapping[str, Any], trains: bool = True) -> Method:
        """With the spaces of a fact `search`."""
        parts = ("training", "adaptation")
        spaces = (
            [{key: law(bounds) for key, bounds in space.items()} for space in facts.get(part, [{}])] for part in parts
        )
        trainings, adaptations = spaces
        return cls(tuple(overrides), tuple(trainings), tuple(adaptations), facts.get("stream", 0), trains)

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


def words(modulation: str) -> list[str]:
    """Of a modulation, with the rank that the paper gives it."""
    methods = [method for method in PUBLISHED if stem(method) == modulation]
    rank = methods[0].removeprefix(modulation).strip("()") if methods else ""
    return [f"modulation={modulation}", *([f"rank={rank}"] if rank else [])]


def schedule(codes: str) -> Method:
    """Both ways to treat the codes of a batch, as the table `initialisation` compares them."""
    alternating = ("learner.schedule=alternating", "learner.task_batch=10", f"learner.codes={codes}")
    method = Method.declared([*words(stem(SVD)), *alternating], SHARED)
    return replace(method, trainings=({"optimizer.code_rate": between(3e-3, 3e-1)},), stream=6)


SHARED = facts_of("learner", str(by_default()["learner"])).search  # of all modulations
BASELINES = {
    name: Method.declared([f"learner={name}"], facts_of("learner", name).search, facts_of("learner", name).trains)
    for name in in_order("learner")
    if not with_codes(name)
}
MODULATIONS = {
    name: Method.declared(words(name), SHARED | facts_of("modulation", name).search)
    for name in in_order("modulation")
    if facts_of("modulation", name).provides.get("code") == "numbers"
}
SCHEDULES = {codes: schedule(codes) for codes in ("evolving", "reset")}
METHODS = BASELINES | MODULATIONS | SCHEDULES
