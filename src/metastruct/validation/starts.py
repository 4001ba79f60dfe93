"""Does the start law that a user chose go with the system, and with what the data ask of it?"""

from __future__ import annotations

from omegaconf import DictConfig

from metastruct.assembly import component
from metastruct.config import ConfigError


def check_start(cfg: DictConfig) -> None:
    if cfg.start is None:
        return
    try:
        start = component(cfg.start)
        component(cfg.system).started_by(start, cfg.data.get("trajectories", 1))
    except ValueError as error:
        raise ConfigError(str(error)) from None
