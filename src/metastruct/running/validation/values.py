"""Settings that depend on each other, and what the machine must have for them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from metastruct.config.conditions import holds
from metastruct.config.facts import facts_of
from metastruct.config.pieces import plain
from metastruct.config.schema import COMPONENTS, ConfigError
from metastruct.config.words import worded
from metastruct.running.tracking.account import check_word, has_key
from metastruct.runs.refusals import check_place

if TYPE_CHECKING:
    from metastruct.data.outline import Outline


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


def check_excluded(cfg: DictConfig, outline: Outline) -> None:
    """Refuse the first settings of a piece that its yaml excludes together, or with others or sizes of the data."""
    whole: Any = OmegaConf.to_container(cfg, resolve=True)
    sizes = outline.provides
    for group in COMPONENTS:
        beside = whole[group] or {}
        for excluded in facts_of(group, beside["name"]).excludes if beside else ():
            conditions = {key: value for key, value in excluded.items() if key != "because"}
            values = sizes | beside | _of_others(whole, [key for key in conditions if "." in key])
            if not conditions.keys() - values.keys() and holds(conditions, values, sizes | beside):
                keys = [key for key in conditions if key not in sizes]
                words = [f"{key if '.' in key else f'{group}.{key}'}={worded(values[key])}" for key in keys]
                if not any(values[key] is not None for key in keys):
                    words = [f"{group}={beside['name']} without {', '.join(keys)}"]
                change = "change one of them" if len(keys) > 1 else "change it"
                raise ConfigError(f"{' with '.join(words)} makes no sense: {excluded['because']}; {change}")


def check_shapes(cfg: DictConfig, outline: Outline) -> None:
    """Refuse the first list of numbers that is not as long as the data, or another list, ask for."""
    for group in COMPONENTS:
        piece: Any = plain(cfg[group]) or {}
        sizes: dict[str, int] = dict(outline.provides)
        for setting, words in facts_of(group, piece["name"]).shapes.items() if piece else ():
            if (value := piece[setting]) is None:
                continue
            shape = _shape(value)
            lengths = [sizes.setdefault(word, size) for word, size in zip(words, shape, strict=False)]
            if 0 in shape or lengths != shape or len(words) != len(shape):
                expected = ", ".join(f"{sizes[word]} {word}" if sizes.get(word) else word for word in words)
                raise ConfigError(
                    f"{group}.{setting} must have the shape [{expected}], got {value} of shape {shape}; change it"
                )


def _shape(value: Any) -> list[int]:
    """Of regular lists in lists."""
    return [len(value), *(_shape(value[0]) if value else ())] if isinstance(value, list) else []


def _of_others(whole: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Settings of other groups, by group.name; null where no piece is chosen, nothing where the piece has no such."""
    every = {}
    for key in keys:
        group, _, name = key.partition(".")
        piece = whole[group]
        if piece is None or name in piece:
            every[key] = None if piece is None else piece[name]
    return every


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
