"""Are the metrics that an evaluation asks for by name there, and is what they need there as well?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig

from metastruct.config.added import check_class
from metastruct.config.facts import metric_facts, options
from metastruct.config.needs import Piece, unmet_of
from metastruct.config.schema import ConfigError
from metastruct.running.validation.pairing import pieces_of

if TYPE_CHECKING:
    from metastruct.data.outline import Outline
    from metastruct.systems.system import System


def check_metrics(cfg: DictConfig, system: System | None, outline: Outline) -> None:
    """Refuse a name that means nothing here; without names, everything is measured that can be."""
    names = cfg.evaluation.get("metrics")
    if names is None:
        for name in options("metric"):
            check_class("metric", name)
        return
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ConfigError(f"evaluation.metrics must name each metric once, got {list(names)}; null stands for all")
    pieces = pieces_of(cfg, system, outline)
    for name in names:
        try:
            metric_facts(name)
        except ValueError as error:
            raise ConfigError(f"evaluation.metrics: {error}") from None
        check_class("metric", name)
        if needs := [*unmet_of(Piece("metric", name, {}), pieces)]:
            lacking = " and ".join(need.phrase for need in needs)
            present = " and ".join(_present(cfg, need.group) for need in needs)
            raise ConfigError(f"evaluation.metrics holds {name}, which needs {lacking}, got {present}; leave it out")


def _present(cfg: DictConfig, group: str) -> str:
    return f"data={cfg.data.name}" if cfg[group] is None else f"{group}={cfg[group].name}"
