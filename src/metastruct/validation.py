"""What types cannot say: mistakes in a configuration, found before anything heavy is imported or written.

A value given from the command line must have the type of the yaml's default that it replaces; then comes the meaning,
and which piece goes with which. Every answer is one line: what was expected, what came, what to do.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import fields
from importlib.util import find_spec
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from metastruct.config import AFFINE, CONF, Config, ConfigError, chosen_by, closest, groups, takes_rank
from metastruct.tracking.account import has_key

COMPONENTS = ("system", "modulation", "net", "bracket", "dynamics", "integrator", "learner", "adaptation")
OPTIONAL = ("bracket",)  # only some of the dynamics take one
KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "a word"}
SITE_TAGS = ("input", "hidden", "output", "bracket")
WITH_CODES = ("auto_decoding",)  # learners whose tasks differ in a code of few numbers
LINEAR = ("camel", "full_weight", "shift")  # modulations whose updates are linear in what is generated
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
WEIGHT_MODULATIONS = ("weights", "output_weights")  # a code is a change of weights, and goes with these adaptations:
WEIGHT_ADAPTATIONS = ("descent", "fine_tuning", "from_scratch")


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
            _check_component(cfg, component)
            _check_types(cfg, component)
    _check_sizes(cfg)
    _check_rank(cfg)
    _check_choices(cfg)
    _check_learner(cfg)
    _check_system(cfg)
    _check_adaptation(cfg)
    _check_bracket(cfg)
    _check_integrator(cfg)
    _check_logger(cfg)


def _check_component(cfg: DictConfig, group: str) -> None:
    options = groups()[group]
    if OmegaConf.is_missing(cfg, group) or not isinstance(cfg[group], DictConfig):
        raise ConfigError(f"{group} is missing; choose {group}= one of {', '.join(options)}")
    if cfg[group].get("name") not in options:
        raise ConfigError(f"{group}.name must be the name of its yaml, got {cfg[group].get('name')!r}; leave it alone")
    try:
        _importable(cfg[group]._target_)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{group}._target_ must be the path of a class, got {cfg[group]._target_!r}: {error}"
        ) from None


def _importable(path: str) -> None:
    """Is there a module of that name? Found without importing it, for torch takes seconds."""
    module = path.rpartition(".")[0]
    if not module or find_spec(module) is None:
        raise ImportError(f"no module {module!r}")


def _check_types(cfg: DictConfig, group: str) -> None:
    template = OmegaConf.load(CONF / group / f"{cfg[group].name}.yaml")
    assert isinstance(template, DictConfig)
    template.pop("defaults", None)
    shadow: Any = OmegaConf.create(OmegaConf.to_container(cfg, resolve=False))
    shadow.rank = None
    shadow[group] = template
    known = [str(key) for key in template if key not in ("_target_", "name")]
    unknown = [str(key) for key in cfg[group] if key not in template]
    if unknown:
        raise ConfigError(f"{group}.{unknown[0]} is not a setting; {closest(unknown[0], known)}")
    for key, default in _leaves(shadow[group], group):
        value = OmegaConf.select(cfg, key)
        fits = type(value) in ((int, float) if isinstance(default, float) else (type(default),))
        if default is not None and not fits:
            kind = KINDS.get(type(default), "a list")
            raise ConfigError(f"{key} must be {kind} such as {default}, got {value!r}")


def _leaves(node: DictConfig, path: str) -> Iterator[tuple[str, Any]]:
    for key in map(str, node):
        value = node[key]
        if isinstance(value, DictConfig):
            if OmegaConf.is_interpolation(node, key):
                continue  # follows from another setting
            yield from _leaves(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", value


def _check_rank(cfg: DictConfig) -> None:
    if cfg.rank is not None and not takes_rank(cfg):
        with_rank = [
            name for name in groups()["modulation"] if "${rank}" in (CONF / f"modulation/{name}.yaml").read_text()
        ]
        raise ConfigError(
            f"rank={cfg.rank} has no meaning for modulation={cfg.modulation.name}; "
            f"leave rank out or use modulation={' or '.join(with_rank)}"
        )
    rank, width = cfg.modulation.get("rank"), cfg.net.get("width")
    if rank is not None and rank < 1:
        raise ConfigError(f"rank must be at least 1, got {rank}; leave it out for the default of the modulation")
    if rank is not None and width is not None and rank > width:
        raise ConfigError(f"rank must be at most net.width = {width}, got {rank}")


def _check_sizes(cfg: DictConfig) -> None:
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


def _check_choices(cfg: DictConfig) -> None:
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


def _check_learner(cfg: DictConfig) -> None:
    """Which learner goes with which modulation, and that with which adaptation."""
    learner, modulation, adaptation = cfg.learner.name, cfg.modulation.name, cfg.adaptation.name
    own = chosen_by(learner).get("modulation")
    if own is not None and modulation != own:
        raise ConfigError(f"learner={learner} needs modulation={own}, got {modulation}; leave modulation out")
    if own is None and modulation in WEIGHT_MODULATIONS:
        fitting = [name for name in groups()["learner"] if chosen_by(name).get("modulation") == modulation]
        raise ConfigError(f"modulation={modulation} needs learner={' or '.join(fitting)}, got {learner}")
    if (modulation in WEIGHT_MODULATIONS) != (adaptation in WEIGHT_ADAPTATIONS):
        others = [name for name in groups()["adaptation"] if name not in WEIGHT_ADAPTATIONS]
        fitting = [*WEIGHT_ADAPTATIONS] if modulation in WEIGHT_MODULATIONS else others
        raise ConfigError(
            f"learner={learner} with modulation={modulation} needs adaptation={' or '.join(fitting)}, got {adaptation}"
        )


def _check_system(cfg: DictConfig) -> None:
    settings: Any = OmegaConf.to_container(cfg.system, resolve=True)
    settings.pop("name")
    try:
        system = instantiate(settings, _convert_="all")
    except InstantiationException as error:
        key = "domains" if "domains" in settings else "parameters"
        raise ConfigError(f"system.{key}: {error.__cause__}") from None
    metriplectic = system.structure == "metriplectic"
    if cfg.dynamics.name == "hamiltonian" and not (system.structure == "conservative" and system.canonical):
        raise ConfigError(
            "Hamiltonian dynamics needs a conservative system in canonical coordinates (q, p), "
            f"got {system.name!r}, which is {system.structure}; "
            f"use dynamics={'generic' if metriplectic else 'unstructured'}"
        )
    if cfg.dynamics.name == "generic" and not metriplectic:
        raise ConfigError(
            f"GENERIC dynamics needs a metriplectic system, got {system.name!r}, which is {system.structure}; "
            "use dynamics=hamiltonian"
        )
    if cfg.net.name == "separable" and cfg.dynamics.name != "hamiltonian":
        raise ConfigError(f"net=separable is a potential T(p) + V(q), got dynamics={cfg.dynamics.name}; use net=mlp")


def _check_adaptation(cfg: DictConfig) -> None:
    """Which adaptation goes with what: gradient with all, levenberg_marquardt with any code, closed_form if affine."""
    name, modulation = cfg.adaptation.name, cfg.modulation
    if name in ("levenberg_marquardt", "closed_form") and cfg.learner.name not in WITH_CODES:
        raise ConfigError(
            f"adaptation={name} fits a code of few numbers, got learner={cfg.learner.name}; "
            f"use adaptation=gradient or learner={' or '.join(WITH_CODES)}"
        )
    tags = {*modulation.get("tags", []), *modulation.get("shift_tags", [])}
    in_code = modulation.name in LINEAR and not modulation.get("hidden") and tags <= {"output"}
    if name == "closed_form" and not (in_code and cfg.dynamics.name in AFFINE):
        raise ConfigError(
            f"adaptation=closed_form needs a field that is affine in the code: modulation=camel with tags [output] and "
            f"hidden 0, and dynamics={' or '.join(AFFINE)}, got modulation={modulation.name} and "
            f"dynamics={cfg.dynamics.name}; use adaptation=levenberg_marquardt"
        )


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
    _check_adaptation(other)
    return other


def best_adaptation(cfg: DictConfig) -> str:
    """The closed form where there is one, else Levenberg-Marquardt where the code is one, else what was chosen."""
    for name in ("closed_form", "levenberg_marquardt"):
        try:
            return str(adapted_by(cfg, name).adaptation.name)
        except ConfigError:
            continue
    return str(cfg.adaptation.name)


def _check_bracket(cfg: DictConfig) -> None:
    generic = cfg.dynamics.name == "generic"
    if generic and cfg.bracket is None:
        raise ConfigError(f"dynamics=generic needs a bracket; use bracket={' or '.join(groups()['bracket'])}")
    if not generic and cfg.bracket is not None:
        raise ConfigError(
            f"bracket={cfg.bracket.name} has no meaning for dynamics={cfg.dynamics.name}; "
            "leave bracket out or use dynamics=generic"
        )
    tags = [*(cfg.modulation.get("tags") or []), *(cfg.modulation.get("shift_tags") or [])]
    if "bracket" in tags and not generic:
        raise ConfigError(
            f"modulation.tags holds bracket, which dynamics={cfg.dynamics.name} has not; use dynamics=generic"
        )


def _check_integrator(cfg: DictConfig) -> None:
    name = cfg.integrator.name
    if name == "leapfrog" and cfg.net.name != "separable":
        raise ConfigError(
            f"integrator=leapfrog needs a potential T(p) + V(q) of a canonical system, got net={cfg.net.name} "
            f"with dynamics={cfg.dynamics.name}; use "
            + ("net=separable" if cfg.dynamics.name == "hamiltonian" else "integrator=rk4")
        )
    if name == "energy_projection" and cfg.dynamics.name == "unstructured":
        raise ConfigError(
            "integrator=energy_projection needs an energy, dynamics=unstructured has none; use dynamics=hamiltonian"
        )


def _check_logger(cfg: DictConfig) -> None:
    if cfg.logger.name == "wandb" and cfg.logger.mode == "online" and not has_key():
        raise ConfigError(
            "logger.mode=online needs an API key in WANDB_API_KEY; use logger.mode=offline or set the key"
        )
