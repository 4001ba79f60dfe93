"""From a configuration to how members are measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from metastruct.config.facts import in_order, settings_of
from metastruct.config.needs import chosen
from metastruct.config.pieces import factory, plain
from metastruct.config.schema import COMPONENTS, Config, ConfigError

if TYPE_CHECKING:
    from metastruct.evaluation.fitted import Protocol
    from metastruct.evaluation.metric import Metric


def build_metrics(names: Sequence[str]) -> dict[str, Metric]:
    """These metrics of conf/metric.

    Raises:
        ConfigError: there is no such metric, or its class refuses its settings.
    """
    try:
        return {name: factory(settings_of("metric", name))() for name in names}
    except ValueError as error:
        raise ConfigError(str(error)) from error


def build_protocol(cfg: Config) -> Protocol:
    """How the evaluation of a configuration meets new tasks, and what it measures; errors as of `build_metrics`."""
    from metastruct.evaluation.fitted import Protocol

    named = cfg.evaluation.metrics
    return Protocol(
        shots=cfg.shots,
        seed=cfg.seed,
        side=cfg.evaluation.grid,
        box_scale=cfg.evaluation.box_scale,
        metrics=build_metrics(in_order("metric") if named is None else named),
        pieces=chosen({group: plain(getattr(cfg, group)) for group in COMPONENTS}),
        by_name=named is not None,
        visited=cfg.evaluation.states is not None,
    )
