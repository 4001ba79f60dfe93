"""What users of the interface wait for: one new member, a thousand, and their rollouts; in processor time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from metastruct.benchmark.accuracy import pendulum_support
from metastruct.benchmark.steps import recorded_products

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
    system, rng = component(model.settings.system), np.random.default_rng(0)
    mu = np.stack([system.sample_parameters(rng, number) for number in range(MANY)])
    states = np.stack([system.sample_starts(rng, one, 200) for one in mu])
    derivatives, counts = system.vector_field(states, mu), rng.integers(fewest, 201, MANY)
    observed = [(x[:n], y[:n]) for x, y, n in zip(states, derivatives, counts, strict=True)]
    model.adapt_many(observed[:10])
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak()
    seconds = processor(lambda: model.adapt_many(observed))
    return peak() - before if memory else seconds


def rolled_out(*overrides: str) -> tuple[Any, Any, Any]:
    """A member, a hundred states of it, and 200 instants."""
    import numpy as np

    model, support = pendulum_support(*overrides)
    states = support.states[0].numpy()
    return model.adapt(states, support.derivatives[0].numpy()), states[:100], np.linspace(0, 10, 200)


def one_rollout(*overrides: str) -> float:
    """Milliseconds of one of them."""
    member, states, times = rolled_out(*overrides)
    return 1e3 * statistics.median(processor(lambda: member.rollout(states[0], times)) for _ in range(10))


def hundred_rollouts(*overrides: str, part: str = "whole") -> float:
    """Processor time of a hundred over that of one, or of a part of a hundred alone, which they cannot be below.

    Args:
        part: "whole"; "fields", recorded, without the steps of the integrator; or "products", those of the fields.
    """
    import torch

    member, states, times = rolled_out(*overrides)
    dynamics, flows = member.fields.trained.model.dynamics, []

    def kept(*arguments: Any, **options: Any) -> Any:
        flows.append(type(dynamics).flow(dynamics, *arguments, **options))
        return flows[-1]

    with patch.object(dynamics, "flow", kept):
        member.rollout(states[0], times)
    evaluations, points = range(flows[0].evaluations), torch.from_numpy(states)[None]
    calls = recorded_products(lambda: member.vector_field(states))

    def whole() -> None:
        member.rollout(states, times)

    def fields() -> None:
        for _ in evaluations:
            flows[0].vector_field(points)

    def products() -> None:
        for _ in evaluations:
            for product, factors, options in calls:
                product(*factors, **options)

    hundred = {"whole": whole, "fields": fields, "products": products}[part]
    return statistics.median(
        processor(hundred) / processor(lambda: member.rollout(states[0], times)) for _ in range(10)
    )


def processor(call: Callable[[], Any]) -> float:
    """Processor seconds of a call."""
    began = time.process_time()
    call()
    return time.process_time() - began


def peak() -> float:
    """Most memory that the process had, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
