"""Does the start law that a user chose go with the components of the system, and with what the data ask of it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig

from metastruct.config.schema import ConfigError
from metastruct.running.assembly import build_system

if TYPE_CHECKING:
    from metastruct.data.outline import Outline
    from metastruct.systems.system import System


def check_start(cfg: DictConfig, system: System | None, outline: Outline) -> None:
    """Refuse a start law that cannot give as many starts of each member as there are trajectories."""
    if cfg.start is None:
        return
    if system is None or outline.trajectories is None:
        raise ConfigError(
            f"start={cfg.start.name} needs a system whose trajectories start so, got data={cfg.data.name}; leave start "
            "out"
        )
    build_system(cfg, outline.trajectories)
