"""Are the metrics that an evaluation asks for by name there, and does what they need follow from the configuration?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig

from metastruct.config import ConfigError
from metastruct.evaluation.facts import facts
from metastruct.evaluation.needs import NEEDS, of_dynamics, of_system
from metastruct.pieces import class_of

if TYPE_CHECKING:
    from metastruct.systems.system import System

AFTER_ADAPTATION = {"posterior"}  # what only the evaluation can tell


def check_metrics(cfg: DictConfig, system: System | None) -> None:
    """Refuse a name that means nothing here; without names, everything is measured that can be."""
    names = cfg.evaluation.get("metrics")
    if names is None:
        return
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"evaluation.metrics must name each metric once, got {list(names)}; null stands for all")
    try:
        wanted = {name: set(facts(name).needs) for name in names}
    except ValueError as error:
        raise ConfigError(f"evaluation.metrics: {error}") from None
    met = of_system(system) | AFTER_ADAPTATION
    if any(needs - met for needs in wanted.values()):  # then it matters what the dynamics has, which takes torch
        met |= of_dynamics(class_of(cfg.dynamics._target_))
    for name, needs in wanted.items():
        if needs - met:
            lacking = " and ".join(NEEDS[need] for need in sorted(needs - met))
            raise ConfigError(
                f"evaluation.metrics holds {name}, which needs {lacking}, got {_studied(cfg)} with "
                f"dynamics={cfg.dynamics.name}; leave it out"
            )


def _studied(cfg: DictConfig) -> str:
    return f"data={cfg.data.name}" if cfg.system is None else f"system={cfg.system.name}"
