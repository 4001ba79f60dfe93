"""One run, resolved and typed: made once at the door, from a configuration that has been checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from metastruct.config import Config, dynamics_name, method_name
from metastruct.runs.folder import RunFolder, run_folder, training_folder


@dataclass(frozen=True)
class Run:
    """What a command asks for, every value resolved.

    Args:
        config: the settings; pieces (system, net, modulation ...) are plain mappings of theirs.
        method, dynamics: as tables name them.
    """

    config: Config
    method: str
    dynamics: str

    @classmethod
    def of(cls, cfg: DictConfig) -> Run:
        """From a composed configuration, or from that of a run folder."""
        typed = OmegaConf.merge(OmegaConf.structured(Config), cfg)
        config: Any = OmegaConf.to_object(typed)
        return cls(config, method_name(cfg), dynamics_name(cfg))

    @classmethod
    def read(cls, folder: RunFolder) -> Run:
        """That of a run folder."""
        cfg = OmegaConf.load(folder.config)
        assert isinstance(cfg, DictConfig)
        return cls.of(cfg)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The same as a plain tree."""
        return asdict(self.config)

    @property
    def folder(self) -> RunFolder:
        """Where its results go."""
        return run_folder(self.settings, self.method)

    @property
    def training(self) -> Path:
        """Where its training is kept, which other runs may share."""
        return training_folder(self.settings, self.method)

    @property
    def singles(self) -> list[Run]:
        """The single runs that a run with replicas stands for, one a seed."""
        seeds = range(self.config.seed, self.config.seed + self.config.replicas)
        return [replace(self, config=replace(self.config, seed=seed, replicas=1)) for seed in seeds]

    def as_yaml(self) -> str:
        """For the run folder, from which `of` makes the same run again."""
        return OmegaConf.to_yaml(OmegaConf.create(self.settings))
