"""Times of calls that take turns in one process, and learners to time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from omegaconf import OmegaConf

from metastruct.config.facts import CONF, basis

OUTPUTS = CONF.parent / "outputs"
WORDS: Any = OmegaConf.to_container(OmegaConf.load(CONF / "benchmark.yaml"), resolve=True)


Clock = Callable[[], float]


def interleaved(*calls: Callable[[], object], rounds: int = 60, clock: Clock = time.perf_counter) -> list[list[float]]:
    """Seconds of each call, `rounds` times in turn, after a warm-up."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        for _ in range(5):
            call()
    for _ in range(rounds):
        for call, durations in zip(calls, times, strict=True):
            began = clock()
            call()
            durations.append(clock() - began)
    return times


def ratio(
    numerator: Callable[[], object],
    denominator: Callable[[], object],
    rounds: int = 60,
    clock: Clock = time.perf_counter,
) -> float:
    """Median over rounds of one time over the other."""
    first, second = interleaved(numerator, denominator, rounds=rounds, clock=clock)
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


def learner(*overrides: str) -> Any:
    """A learner as train.py makes it, ready for `outer_update`, whose first call records it.

    Its optimizer is that of the tables unless the words choose another, or a learner that does.
    """
    import torch

    from metastruct.config.schema import composed
    from metastruct.recording.recorded import PATIENCE
    from metastruct.running.assembly import build_learner, build_source
    from metastruct.running.run import Run

    torch.set_num_threads(1)
    words = (word for word in basis(overrides) if word.startswith("optimizer="))
    config = Run.of(composed(*words, *overrides, f"outputs={OUTPUTS}")).config
    candidate: Any = build_learner(config, build_source(config, print).recordings())
    candidate.configure_optimizers()
    for recording in candidate.recordings.values():
        recording.calls = PATIENCE
    return candidate
