"""What users of the interface wait for: one new member, a thousand, and their rollouts; in processor time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from metastruct.benchmark.accuracy import pendulum_support

MANY = 1_000


def one_member(*overrides: str) -> float:
    """Milliseconds from numpy arrays to an adapted member."""
    model, support = pendulum_support(*overrides)
    states, derivatives = support.states[0].numpy(), support.derivatives[0].numpy()
    return 1e3 * statistics.median(processor(lambda: model.adapt(states, derivatives)) for _ in range(30))


def thousand_members(*overrides: str, fewest: int = 20, memory: bool = False) -> float:
    """Seconds of a batched fit of new pendulums, or the megabytes that it takes above the process."""
    import numpy as np

    from metastruct.running.assembly import component

    model, _ = pendulum_support(*overrides)
    system, rng = component(model._cfg.system), np.random.default_rng(0)
    mu = np.stack([system.sample_parameters(rng, number) for number in range(MANY)])
    states = np.stack([system.sample_starts(rng, one, 200) for one in mu])
    derivatives, counts = system.vector_field(states, mu), rng.integers(fewest, 201, MANY)
    observed = [(x[:n], y[:n]) for x, y, n in zip(states, derivatives, counts, strict=True)]
    model.adapt_many(observed[:10])
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak()
    seconds = processor(lambda: model.adapt_many(observed))
    return peak() - before if memory else seconds


def rollouts(*overrides: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A hundred rollouts of a member, and one, 200 instants each, ready to be called."""
    import numpy as np

    model, support = pendulum_support(*overrides)
    states, times = support.states[0].numpy(), np.linspace(0, 10, 200)
    member = model.adapt(states, support.derivatives[0].numpy())
    return lambda: member.rollout(states[:100], times), lambda: member.rollout(states[0], times)


def one_rollout(*overrides: str) -> float:
    """Milliseconds of one of them."""
    _, one = rollouts(*overrides)
    return 1e3 * statistics.median(processor(one) for _ in range(10))


def hundred_rollouts(*overrides: str) -> float:
    """Processor time of a hundred over that of one.

    More than two: at a hundred states a field of the main job takes 0.14 ms more in matrix products and pointwise
    passes alone than at one, where it takes 0.13 ms, recorded 0.05.
    """
    hundred, one = rollouts(*overrides)
    return statistics.median(processor(hundred) / processor(one) for _ in range(10))


def processor(call: Callable[[], Any]) -> float:
    """Processor seconds of a call."""
    began = time.process_time()
    call()
    return time.process_time() - began


def peak() -> float:
    """Most memory that the process had, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
