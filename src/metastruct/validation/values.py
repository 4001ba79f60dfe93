"""Numbers inside their ranges, and words that are among the choices."""

from __future__ import annotations

import math

from omegaconf import DictConfig, OmegaConf

from metastruct.config import ConfigError, closest
from metastruct.tracking.account import has_key

SITE_TAGS = ("input", "hidden", "output", "bracket")
CHOICES = {
    "net.activation": ("silu", "tanh", "sine", "softplus"),
    "learner.schedule": ("joint", "alternating"),
    "learner.codes": ("evolving", "reset"),
    "learner.inner_optimizer": ("adam", "sgd"),
    "adaptation.optimizer": ("adam", "sgd"),
    "evaluation.start": ("mean", "zero"),
    "trainer.accelerator": ("auto", "cpu", "cuda"),
    "logger.mode": ("offline", "online", "disabled"),
}


def check_sizes(cfg: DictConfig) -> None:
    at_least_one = [
        *("data.train_tasks", "data.test_tasks", "data.trajectories", "data.points", "replicas", "shots"),
        *("trainer.steps", "trainer.steps_per_epoch", "modulation.code_dim", "net.width", "net.depth"),
        *("learner.task_batch", "learner.point_batch", "learner.inner_steps", "learner.outer_steps"),
        *("evaluation.steps", "adaptation.steps", "bracket.rank", "system.oscillators"),
    ]
    positive = ["data.horizon", "data.tolerance", "evaluation.box_scale", "optimizer.base_rate", "optimizer.code_rate"]
    positive += ["integrator.step_size", "adaptation.learning_rate", "adaptation.tolerance", "adaptation.damping"]
    positive += ["learner.inner_rate", "learner.outer_rate", "adaptation.rate_factor", "bracket.friction"]
    not_negative = [
        "seed",
        "data.seed",
        "data.noise",
        "locality.lambda_z",
        "locality.lambda_phi",
        "trainer.threads",
        "optimizer.warmup",
    ]
    not_negative += ["trainer.checkpoint_seconds", "modulation.hidden", "adaptation.screening", "bracket.tilt"]
    for keys, words, holds in (
        (at_least_one, "at least 1", lambda v: v >= 1),
        (positive, "above 0", lambda v: v > 0),
        (not_negative, "0 or more", lambda v: v >= 0),
        (["optimizer.beta2"], "from 0 to below 1", lambda v: 0 <= v < 1),
        (["seed", "data.seed"], "below 2^63", lambda v: v < 2**63),
    ):
        for key in keys:
            value = OmegaConf.select(cfg, key)
            if value is not None and not (math.isfinite(value) and holds(value)):
                raise ConfigError(f"{key} must be {words}, got {value}")
    if cfg.evaluation.grid < 11:
        raise ConfigError(f"evaluation.grid must be at least 11 (the window of the SSIM), got {cfg.evaluation.grid}")
    if cfg.data.points < 2:
        raise ConfigError(f"data.points must be at least 2, got {cfg.data.points}")
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


def check_choices(cfg: DictConfig) -> None:
    for key, choices in CHOICES.items():
        value = OmegaConf.select(cfg, key)
        if value is not None and value not in choices:
            raise ConfigError(
                f"{key} must be one of {', '.join(choices)}, got {value!r}; {closest(str(value), list(choices))}"
            )
    if cfg.learner.get("codes") == "reset" and cfg.learner.get("schedule") == "joint":
        raise ConfigError(
            "learner.codes=reset needs learner.schedule=alternating: joint codes would take one step only"
        )
    for key in ("modulation.tags", "modulation.shift_tags"):
        tags = OmegaConf.select(cfg, key)
        if tags is not None and set(tags) - set(SITE_TAGS):
            raise ConfigError(f"{key} must be a list of {', '.join(SITE_TAGS)}, got {list(tags)}")
    if not cfg.modulation.get("tags", ["all"]) and cfg.modulation.name != "shift":
        raise ConfigError("modulation.tags must name at least one kind of site, got []; use modulation=shift for none")
    if cfg.trainer.accelerator == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise ConfigError("trainer.accelerator=cuda needs a CUDA device and there is none; use auto or cpu")


def check_logger(cfg: DictConfig) -> None:
    if cfg.logger.name == "wandb" and cfg.logger.mode == "online" and not has_key():
        raise ConfigError(
            "logger.mode=online needs an API key in WANDB_API_KEY; use logger.mode=offline or set the key"
        )
