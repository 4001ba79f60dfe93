"""One trial: train on all but the held-out training tasks, then measure every adaptation on those."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from metastruct.config.facts import basis, headline_errors
from metastruct.config.words import worded
from metastruct.paper.search.space import METHODS, Method

if TYPE_CHECKING:
    from metastruct.config.schema import Config

HELD_OUT = 10  # training tasks
VARIANTS = 4  # adaptations tried on each trained net


@dataclass(frozen=True)
class Attempt:
    """One meta-training of a trial."""

    system: str
    learner: str  # the method, as `space.METHODS` names it
    trial: int
    seed: int
    budget: int  # gradient evaluations x points

    @property
    def method(self) -> Method:
        """The method whose settings are tried."""
        return METHODS[self.learner]


@dataclass(frozen=True)
class Row:
    """One adaptation of one trained net, measured on the held-out tasks; `score` is what is minimised."""

    system: str
    learner: str
    trial: int
    seed: int
    budget: int
    steps: int
    variant: int
    training: str
    adaptation: str
    errors: Mapping[str, float]  # of the headline, by metric
    diverged: int
    score: float  # geometric mean of the errors, infinite where a task diverged
    seconds: float

    @property
    def attempt(self) -> Attempt:
        """What it is a result of."""
        return Attempt(self.system, self.learner, self.trial, self.seed, self.budget)

    @property
    def line(self) -> dict[str, Any]:
        """For a records file, a column an error."""
        line: dict[str, Any] = {}
        for part in fields(self):
            line |= self.errors if part.name == "errors" else {part.name: getattr(self, part.name)}
        return line

    @classmethod
    def read(cls, line: Mapping[str, str]) -> Row:
        """From a line of a records file, whose other columns are errors."""
        kinds: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}
        parts = {part.name: kinds[str(part.type)] for part in fields(cls) if part.name != "errors"}
        errors = {name: float(text) for name, text in line.items() if name not in parts and text}
        return cls(**{name: kind(line[name]) for name, kind in parts.items()}, errors=errors)


def rows_of(attempt: Attempt, outputs: str) -> Iterator[Row]:
    """The rows of an attempt, one an adaptation."""
    import torch

    from metastruct.evaluation.fitted import Learned
    from metastruct.evaluation.protocol import evaluate
    from metastruct.evaluation.summary import summary
    from metastruct.running.assembly import build_learner, build_source, component
    from metastruct.running.protocol import build_metrics, build_protocol
    from metastruct.running.trained import Trained

    torch.set_num_threads(1)
    began = time.perf_counter()
    shared = [
        f"system={attempt.system}",
        *attempt.method.overrides,
        f"seed={attempt.seed}",
        *attempt.method.training(attempt.trial),
    ]
    config = checked(*basis(shared), *shared, f"outputs={worded(outputs)}")
    source = build_source(config, print).held_out(HELD_OUT)
    learner = build_learner(config, source.recordings())
    learner.steps = max(1, attempt.budget // learner.evaluations) if learner.evaluations else 0
    learner.complete()
    (result,) = learner.results()
    trained = Trained.made(config, result)
    training_seconds = time.perf_counter() - began
    for variant, overrides in enumerate(attempt.method.adaptation(attempt.trial, VARIANTS)):
        began = time.perf_counter()
        config = checked(*basis([*shared, *overrides]), *shared, *overrides, f"outputs={worded(outputs)}")
        errors, lost = dict.fromkeys(headline_errors(), math.nan), HELD_OUT
        if trained.diverged_at is None:
            start = trained.start(HELD_OUT, config.evaluation.start)
            learned = Learned(trained.model, learner.objective, start, trained.prior())
            protocol = replace(build_protocol(config), metrics=build_metrics(headline_errors()))
            pieces = component(config.adaptation), component(config.integrator)
            figures = summary(evaluate(learned, protocol, *pieces, source))
            means = {name: figures[name]["mean"] for name in errors if name in figures}
            errors |= {name: math.nan if mean is None else mean for name, mean in means.items()}
            lost = figures["diverged_tasks"]
        good = not lost and not any(map(math.isnan, errors.values()))
        yield Row(
            **asdict(attempt),
            errors=errors,
            steps=learner.steps,
            variant=variant,
            training=" ".join(attempt.method.training(attempt.trial)),
            adaptation=" ".join(overrides),
            diverged=lost,
            score=math.prod(errors.values()) ** (1 / len(errors)) if good else math.inf,
            seconds=training_seconds + time.perf_counter() - began,
        )


def checked(*overrides: str) -> Config:
    """What train.py makes of these words, resolved."""
    from metastruct.config.schema import composed
    from metastruct.running.run import Run
    from metastruct.running.validation import validate

    cfg = composed(*overrides, "logger=none")
    validate(cfg)
    return Run.of(cfg).config
