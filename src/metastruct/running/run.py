"""One run, resolved and typed: made once at the door, from a configuration that has been checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from metastruct.config.facts import facts_of, options, settings_of
from metastruct.config.pieces import Refused, check_place, check_plain, target_of
from metastruct.config.schema import COMPONENTS, OPTIONAL, Config, dynamics_name, method_name
from metastruct.running.keys import OPTIONAL as UNSET
from metastruct.running.places import family_name, run_folder, training_folder
from metastruct.runs.folder import RunFolder

LONGEST = 200_000  # bytes of a configuration, whose files have 3,000
DEEPEST = 20


class Plain(yaml.SafeLoader):
    """Plain values, each written out: an alias of an alias would grow without bound."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As of the base class, without aliases and not too deep."""
        if self.check_event(yaml.AliasEvent) or self.depth > DEEPEST:
            raise yaml.YAMLError("an alias, or nested too deeply")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def configuration_of(folder: RunFolder) -> DictConfig:
    """The configuration of a run folder, whoever wrote it; errors as of `configuration_in`."""
    with folder.config.open("rb") as file:
        return configuration_in(file.read(LONGEST + 1), str(folder.config))


def configuration_in(text: bytes, origin: str) -> DictConfig:
    """The configuration that a text holds, whoever wrote it: plain values, nothing in it is resolved or made.

    Args:
        origin: where it stands, for people.

    Raises:
        Refused: it is no mapping of plain values.
    """
    if len(text) > LONGEST:
        raise Refused(f"{origin} must be a configuration of at most {LONGEST:,} bytes, got a longer file")
    try:
        content = yaml.load(text, Plain)
    except (yaml.YAMLError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise Refused(f"{origin} must be a configuration in YAML without aliases and tags, got something else")
    content = {key: _as_named_now(key, value) for key, value in content.items()}
    try:
        for key, value in content.items():
            check_plain(str(key), value)
        return typed(content)
    except (Refused, OmegaConfBaseException) as error:
        raise Refused(f"{origin}: {misfit(content)}{str(error).splitlines()[0]}") from None


def _as_named_now(group: Any, piece: Any) -> Any:
    """A piece with the class path that its yaml has, where it has the one that the yaml had before."""
    name = piece.get("name") if isinstance(piece, Mapping) else None
    if group not in COMPONENTS or not isinstance(name, str) or name not in options(group):
        return piece
    formerly = facts_of(group, name).formerly
    moved = formerly is not None and piece.get("_target_") == formerly
    return {**piece, "_target_": target_of(group, name)} if moved else piece


def typed(content: Any) -> DictConfig:
    """The same with the types of the schema."""
    return OmegaConf.merge(OmegaConf.structured(Config), content)  # type: ignore[return-value]


def misfit(content: Mapping[Any, Any]) -> str:
    """The first group that does not fit into the schema, in front of why."""
    for key, value in content.items():
        try:
            typed({key: value})
        except OmegaConfBaseException:
            return f"{str(key)!r} does not fit: "
    return ""


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
        try:
            config: Any = OmegaConf.to_object(typed(cfg))
        except MissingMandatoryValue as error:
            raise Refused(f"{error.full_key} is missing; leave it alone, or give it a value") from None
        for group in COMPONENTS:
            piece = getattr(config, group)
            if piece is None and group in OPTIONAL:
                continue
            check_place(group, piece)
            for setting in map(str, settings_of(group, piece["name"])):
                if setting not in piece and f"{group}.{setting}" in UNSET:  # a folder of before there was one
                    piece[setting] = None
                elif setting not in piece:
                    raise Refused(f"{group}.{setting} is missing; leave it alone, or give it a value")
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
    def family(self) -> str:
        """What is studied, as tables name it."""
        return family_name(self.settings)

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
