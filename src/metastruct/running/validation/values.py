"""Settings that depend on each other, and what the machine must have for them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from metastruct.config.facts import by_default, described, facts_of, options, settings_of
from metastruct.config.schema import COMPONENTS, ConfigError
from metastruct.running.tracking.account import check_word, has_key
from metastruct.runs.files import check_place

if TYPE_CHECKING:
    from metastruct.data.outline import Outline

SITES = ("input", "hidden", "output")  # tags of the affine maps of a net that declares no others


def check_draws(cfg: DictConfig, outline: Outline) -> None:
    """Are there as many observations as shots, as far as the settings of the data tell?"""
    if outline.support is not None and cfg.shots > outline.support:
        why = outline.settings.get("support", "what there is of the test member that has most")
        raise ConfigError(f"shots must be at most {outline.support}, {why}, got {cfg.shots}")


def check_length(cfg: DictConfig) -> None:
    """Does a training end by its steps or by its time, and not by both, and after its warm-up?"""
    steps, seconds, warmup = cfg.trainer.steps, cfg.trainer.seconds, cfg.optimizer.get("warmup", 0)
    if steps is None and seconds is None:
        raise ConfigError("trainer.steps needs a number, got null; only trainer.seconds can stand in its place")
    if steps is not None and seconds is not None:
        raise ConfigError(
            f"trainer.steps must be null where trainer.seconds={seconds:g} ends a training, got {steps}; leave one out"
        )
    if seconds is not None and not facts_of("learner", cfg.learner.name).trains:
        raise ConfigError(f"trainer.seconds has no meaning for learner={cfg.learner.name}, which has no meta-training")
    if steps is not None and warmup and warmup >= steps:
        raise ConfigError(f"optimizer.warmup must be below trainer.steps = {steps}, got {warmup}; lower it")


def check_words(cfg: DictConfig) -> None:
    """Are the words that go to trackers and tables as they are no more than words?"""
    if not cfg.outputs.strip():
        raise ConfigError(f"outputs must be the name of a folder such as outputs, got {cfg.outputs!r}")
    for key in ("tag", "logger.project"):
        try:
            check_word(key, OmegaConf.select(cfg, key))
        except ValueError as error:
            raise ConfigError(str(error)) from None


def check_excluded(cfg: DictConfig) -> None:
    """Refuse the first settings of a piece that its yaml excludes together."""
    for group in COMPONENTS:
        for excluded in facts_of(group, cfg[group].name).excludes if cfg[group] is not None else ():
            settings = {key: value for key, value in excluded.items() if key != "because"}
            if all(cfg[group][key] == value for key, value in settings.items()):
                words = " with ".join(f"{group}.{key}={value}" for key, value in settings.items())
                raise ConfigError(f"{words} makes no sense: {excluded['because']}; change one of them")


def check_tags(cfg: DictConfig) -> None:
    """Are the sites that a modulation takes those of the net and the dynamics?"""
    for key, tag in strange_tags(cfg.modulation, cfg.net.name, cfg.dynamics.name):
        owners = {other: f"{group}={name}" for group, name in tagged() for other in sites(group, name)}
        if tag not in owners:
            there = ", ".join(dict.fromkeys([*sites("net", cfg.net.name), *owners]))
            raise ConfigError(f"modulation.{key} must be a list of {there}, got {list(cfg.modulation[key])}")
        raise ConfigError(
            f"modulation.{key} holds {tag}, which net={cfg.net.name} with dynamics={cfg.dynamics.name} has not; use "
            f"{owners[tag]}, or some of {', '.join(sites('net', cfg.net.name))}"
        )
    tags = cfg.modulation.get("tags")
    if tags == ["hidden"] and cfg.net.get("depth") == 1 and sites("net", cfg.net.name) == [*SITES]:
        raise ConfigError(
            "modulation.tags must name matrices of the net, which has input, output at net.depth=1, got [hidden]; name "
            "one of them, or choose net.depth=2"
        )
    if not cfg.modulation.get("tags", ["all"]) and settings_of("modulation", cfg.modulation.name).tags:
        without = [name for name in options("modulation") if settings_of("modulation", name).get("tags") == []]
        hint = f"; use modulation={' or '.join(without)} for none" if without else ""
        raise ConfigError(f"modulation.tags must name at least one kind of site, got []{hint}")


def strange_tags(modulation: Mapping[str, Any], net: str, dynamics: str) -> Iterator[tuple[str, str]]:
    """The setting and the tag of each kind of site that a modulation takes and that is not there.

    Those that its yaml names are taken as far as they are there, if one is.
    """
    there = {*sites("net", net), *sites("dynamics", dynamics)}
    for key in ("tags", "shift_tags"):
        tags = list(modulation.get(key) or [])
        if tags != described("modulation", modulation["name"]).get(key) or there.isdisjoint(tags):
            yield from ((key, tag) for tag in tags if tag not in there)


def tagged() -> list[tuple[str, str]]:
    """Group and name of each piece that may have sites, the default of its group last."""
    pieces = [(group, name) for group in ("net", "dynamics") for name in options(group)]
    return sorted(pieces, key=lambda piece: piece[1] == by_default().get(piece[0]))


def check_order(cfg: DictConfig) -> None:
    """Are the sites that a modulation takes named once each, in one order? They are a set, and it has one key."""
    there = [tag for group in ("net", "dynamics") for tag in sites(group, cfg[group].name)]
    for key in ("modulation.tags", "modulation.shift_tags"):
        tags = list(OmegaConf.select(cfg, key) or [])
        ordered = [tag for tag in there if tag in tags]
        if [tag for tag in tags if tag in there] != ordered:
            raise ConfigError(f"{key} must name each kind of site once, in their order, got {tags}; use {ordered}")


def sites(group: str, name: str) -> list[str]:
    """The tags of what a piece has to be modulated."""
    return list(facts_of(group, name).provides.get("sites", SITES if group == "net" else ()))


def has_compiler() -> bool:
    """Is there what torch makes programs of a CPU with?"""
    return any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++")))


def check_machine(cfg: DictConfig) -> None:
    """Has the machine what the settings ask of it: a place for results, a GPU, a compiler, a key?"""
    try:
        check_place("outputs", Path(cfg.outputs), True)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if cfg.trainer.accelerator == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise ConfigError("trainer.accelerator=cuda needs a CUDA device and there is none; use auto or cpu")
    if cfg.trainer.compile == "always" and not has_compiler():
        raise ConfigError("trainer.compile=always needs a compiler of C++ and there is none; use auto or never")
    if cfg.logger.mode == "online" and not has_key():
        raise ConfigError(
            "logger.mode=online needs an API key in WANDB_API_KEY; use logger.mode=offline or set the key"
        )
