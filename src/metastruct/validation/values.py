"""Settings that depend on each other, and what the machine must have for them."""

from __future__ import annotations

import os
import shutil

from omegaconf import DictConfig, OmegaConf

from metastruct.config import ConfigError
from metastruct.facts import facts_of, options, settings_of
from metastruct.tracking.account import has_key

SITES = ("input", "hidden", "output")  # tags of the affine maps of a net that declares no others


def check_draws(cfg: DictConfig) -> None:
    """Are there trajectories to ask, and as many observations as shots?"""
    if not 1 <= cfg.data.support_trajectories < cfg.data.trajectories:
        raise ConfigError(
            f"data.support_trajectories must be from 1 to data.trajectories - 1 = {cfg.data.trajectories - 1}, so that "
            f"query trajectories remain, got {cfg.data.support_trajectories}"
        )
    available = cfg.data.support_trajectories * cfg.data.points
    if cfg.shots > available:
        raise ConfigError(
            f"shots must be at most {available}, the support set's data.support_trajectories * data.points, "
            f"got {cfg.shots}"
        )


def check_schedule(cfg: DictConfig) -> None:
    if cfg.learner.get("codes") == "reset" and cfg.learner.get("schedule") == "joint":
        raise ConfigError(
            "learner.codes=reset needs learner.schedule=alternating: joint codes would take one step only"
        )


def check_tags(cfg: DictConfig) -> None:
    """Are the sites that a modulation takes those of the net and the dynamics?"""
    there = {group: sites(group, cfg[group].name) for group in ("net", "dynamics")}
    elsewhere = {tag: f"{group}={name}" for group in there for name in options(group) for tag in sites(group, name)}
    for key in ("modulation.tags", "modulation.shift_tags"):
        for tag in OmegaConf.select(cfg, key) or []:
            if any(tag in tags for tags in there.values()):
                continue
            if tag not in elsewhere:
                known = ", ".join(dict.fromkeys([*there["net"], *elsewhere]))
                raise ConfigError(f"{key} must be a list of {known}, got {list(OmegaConf.select(cfg, key))}")
            raise ConfigError(
                f"{key} holds {tag}, which net={cfg.net.name} with dynamics={cfg.dynamics.name} has not; use "
                f"{elsewhere[tag]}"
            )
    if not cfg.modulation.get("tags", ["all"]) and settings_of("modulation", cfg.modulation.name).tags:
        without = [name for name in options("modulation") if settings_of("modulation", name).get("tags") == []]
        hint = f"; use modulation={' or '.join(without)} for none" if without else ""
        raise ConfigError(f"modulation.tags must name at least one kind of site, got []{hint}")


def sites(group: str, name: str) -> list[str]:
    """The tags of what a piece has to be modulated."""
    return list(facts_of(group, name).provides.get("sites", SITES if group == "net" else ()))


def has_compiler() -> bool:
    """Is there what torch makes programs of a CPU with?"""
    return any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++")))


def check_machine(cfg: DictConfig) -> None:
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
