"""One run, resolved and typed: made once at the door, from a configuration that has been checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from metastruct.config import COMPONENTS, Config, dynamics_name, method_name
from metastruct.pieces import Refused, check_place, check_plain
from metastruct.runs.folder import RunFolder, run_folder, training_folder


def configuration_of(folder: RunFolder) -> DictConfig:
    """The configuration of a run folder, whoever wrote it: plain values, nothing in it is resolved or made.

    Raises:
        Refused: it is no mapping of plain values.
    """
    try:
        content = yaml.safe_load(folder.config.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        raise Refused(f"{folder.config} must be a configuration in YAML, got something else") from None
    if not isinstance(content, dict):
        raise Refused(f"{folder.config} must be a configuration in YAML, got something else")
    try:
        for key, value in content.items():
            check_plain(str(key), value)
        return OmegaConf.merge(OmegaConf.structured(Config), content)  # type: ignore[return-value]
    except (Refused, OmegaConfBaseException) as error:
        raise Refused(f"{folder.config}: {str(error).splitlines()[0]}") from None


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
        """From a composed configuration, or one that `configuration_of` read.

        Raises:
            Refused: a piece is not the one that its name says, or one of its values is not plain.
        """
        typed = OmegaConf.merge(OmegaConf.structured(Config), cfg)
        config: Any = OmegaConf.to_object(typed)
        for group in COMPONENTS:
            if getattr(config, group) is not None:
                check_place(group, getattr(config, group))
        return cls(config, method_name(cfg), dynamics_name(cfg))

    @classmethod
    def read(cls, folder: RunFolder) -> Run:
        """That of a run folder; errors as of `configuration_of` and `of`."""
        return cls.of(configuration_of(folder))

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
