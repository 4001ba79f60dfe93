"""The few-shot protocol: adapt to the test tasks, roll out, measure; all tasks at once, in float64."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from metastruct.adaptation.adaptation import Adaptation
from metastruct.config.facts import metric_facts
from metastruct.config.needs import Piece, unmet_of
from metastruct.data.source import Source
from metastruct.evaluation.adapted import Adapted
from metastruct.evaluation.fitted import Learned, Protocol
from metastruct.evaluation.metric import Metric
from metastruct.integrators.integrator import Integrator

Array = np.ndarray


class MetricRefused(ValueError):
    """A metric was asked for by name, and what it needs is not there."""


@dataclass
class Measurements:
    """What was measured.

    `values` holds one `[tasks]` array for each (metric, component), the component being empty for the whole state.
    `domains` names the family of each task, `diverged` says which rollouts left, `[tasks]`, None where no metric asked
    for rollouts, `converged` which fits ended at a minimum and `flagged` which members do not agree with those of
    training, `[tasks]`, None where the adaptation does not know; `observed` how many observations each was adapted to,
    `[tasks]`; `seconds` is the wall time of each phase, `adapted` what was measured.
    """

    adapted: Adapted
    domains: list[str]
    values: dict[tuple[str, str], Array] = field(default_factory=dict)
    diverged: Array | None = None
    converged: Array | None = None
    flagged: Array | None = None
    observed: Array | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def evaluate(
    learned: Learned, protocol: Protocol, adaptation: Adaptation, integrator: Integrator, source: Source
) -> Measurements:
    """Adapt to `protocol.shots` observations of each test task and measure the adapted members.

    The model is used in its own precision and on its own device; give it in float64.

    Raises:
        MetricRefused: a metric was asked for by name, and what it needs is not there.
    """
    began = time.perf_counter()
    adapted = Adapted(learned, protocol, adaptation, integrator, source)
    result = Measurements(adapted, source.domains("test"))
    for name, metric in _possible(adapted).items():
        for component, values in metric.measure(adapted).items():
            result.values[name, component] = values
    if any(metric_facts(name).rolled_out for name, _ in result.values):
        result.diverged = adapted.diverged
    converged = adapted.fit.converged
    result.converged = None if converged is None else converged.cpu().numpy()
    agreement = adapted.fit.agreement
    result.flagged = None if agreement is None else agreement.flagged.cpu().numpy()
    count = adapted.support.count
    result.observed = np.broadcast_to(count if isinstance(count, int) else count.cpu().numpy(), len(source.test))
    result.seconds = adapted.seconds | {"metrics": time.perf_counter() - began - sum(adapted.seconds.values())}
    return result


def _possible(adapted: Adapted) -> dict[str, Metric]:
    """The metrics whose needs are met."""
    possible = {}
    for name, metric in adapted.protocol.metrics.items():
        lacking = [need.phrase for need in unmet_of(Piece("metric", name, {}), adapted.pieces)]
        if lacking and adapted.protocol.by_name:
            raise MetricRefused(f"evaluation.metrics holds {name}, which needs {' and '.join(lacking)}; leave it out")
        if not lacking:
            possible[name] = metric
    return possible
