"""What types cannot say: mistakes in a configuration, found before anything heavy is imported or written.

A value given from the command line must have the type of the yaml's default that it replaces; then comes the meaning,
and which piece goes with which. Every answer is one line: what was expected, what came, what to do.
"""

from __future__ import annotations

import copy
from dataclasses import fields

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from metastruct.config import CONF, Config, ConfigError, closest, groups
from metastruct.validation.metrics import check_metrics
from metastruct.validation.pairing import (
    check_adaptation,
    check_bracket,
    check_integrator,
    check_learner,
    check_rank,
    check_system,
)
from metastruct.validation.starts import check_start
from metastruct.validation.types import check_component, check_types
from metastruct.validation.values import check_choices, check_logger, check_sizes

COMPONENTS = (
    *("system", "start", "data", "modulation", "net", "bracket", "dynamics", "integrator", "objective", "optimizer"),
    *("learner", "adaptation"),
)
OPTIONAL = ("bracket", "start")  # only some dynamics take the one, and a system has its own of the other


def validate(cfg: DictConfig) -> None:
    """Check what types cannot say.

    Raises:
        ConfigError: names the key and the fix.
    """
    known = [setting.name for setting in fields(Config)]
    try:
        OmegaConf.to_container(cfg, resolve=True)
    except InterpolationResolutionError as error:  # with the message of a resolver that refuses
        raise ConfigError(str(error).splitlines()[0].rpartition("interpolation: ")[2]) from None
    unknown = [str(key) for key in cfg if key not in known]
    if unknown:
        raise ConfigError(f"{unknown[0]} is not a setting; {closest(unknown[0], known)}")
    for component in COMPONENTS:
        if component not in OPTIONAL or cfg[component] is not None:
            check_component(cfg, component)
            check_types(cfg, component)
    check_sizes(cfg)
    check_rank(cfg)
    check_choices(cfg)
    check_learner(cfg)
    check_system(cfg)
    check_start(cfg)
    check_adaptation(cfg)
    check_bracket(cfg)
    check_integrator(cfg)
    check_metrics(cfg)
    check_logger(cfg)


def adapted_by(cfg: DictConfig, name: str) -> DictConfig:
    """The configuration with another adaptation, at its own defaults where it is not the one that is there.

    Raises:
        ConfigError: there is no such adaptation, or it does not go with the rest.
    """
    options = groups()["adaptation"]
    if name not in options:
        raise ConfigError(f"adaptation={name} is not known; {closest(name, options)}")
    if name == cfg.adaptation.name:
        return cfg
    other = copy.deepcopy(cfg)
    other.adaptation = OmegaConf.load(CONF / "adaptation" / f"{name}.yaml")
    check_adaptation(other)
    return other


def best_adaptation(cfg: DictConfig) -> str:
    """The closed form where there is one, else Levenberg-Marquardt where the code is one, else what was chosen."""
    for name in ("closed_form", "levenberg_marquardt"):
        try:
            return str(adapted_by(cfg, name).adaptation.name)
        except ConfigError:
            continue
    return str(cfg.adaptation.name)
