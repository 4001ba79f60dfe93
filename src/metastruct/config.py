"""The configuration: its types, its groups, and the names that follow from it.

The dataclasses type the settings that every run has. The settings of a component (system, modulation, net ...) are
typed by its own yaml, so that a new component needs no schema of its own; `validation` sees to that and to the meaning.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

CONF = Path(__file__).resolve().parents[2] / "conf"
AFFINE = ("hamiltonian", "unstructured")  # dynamics that are affine in the output layer of their net


class ConfigError(ValueError):
    """A user's mistake, in one line: what was expected, what came, what to do."""


@dataclass
class Locality:
    """Weights of the norms in the loss."""

    name: str = MISSING
    lambda_z: float = MISSING
    lambda_phi: float = MISSING


@dataclass
class Evaluation:
    """How adapted members are measured."""

    name: str = MISSING
    steps: int = MISSING
    start: str = MISSING
    grid: int = MISSING
    box_scale: float = MISSING
    metrics: list[str] | None = None
    figures: bool = MISSING


@dataclass
class Trainer:
    """Length and machinery of the meta-training; only `steps` changes results."""

    name: str = MISSING
    steps: int = MISSING
    steps_per_epoch: int = MISSING
    accelerator: str = MISSING
    threads: int = MISSING
    checkpoint_seconds: float = MISSING


@dataclass
class Logger:
    """Where curves go; changes no result."""

    name: str = MISSING
    mode: str = MISSING
    project: str = MISSING


@dataclass
class Config:
    """Everything that `train.py` can be told."""

    system: Any = MISSING
    start: Any = None
    modulation: Any = MISSING
    locality: Locality = field(default_factory=Locality)
    net: Any = MISSING
    bracket: Any = None
    dynamics: Any = MISSING
    integrator: Any = MISSING
    learner: Any = MISSING
    adaptation: Any = MISSING
    evaluation: Evaluation = field(default_factory=Evaluation)
    objective: Any = MISSING
    optimizer: Any = MISSING
    trainer: Trainer = field(default_factory=Trainer)
    logger: Logger = field(default_factory=Logger)
    data: Any = MISSING
    rank: int | None = None
    shots: int = 200
    seed: int = 0
    replicas: int = 1
    force: bool = False
    outputs: str = "outputs"
    tag: str = "main"


def register() -> None:
    """Make the schema and the resolvers known to Hydra; harmless when repeated."""
    ConfigStore.instance().store(name="schema", node=Config)
    OmegaConf.register_new_resolver("given", lambda value, default: default if value is None else value, replace=True)
    OmegaConf.register_new_resolver("where", lambda name, wanted, yes, no: yes if name == wanted else no, replace=True)
    OmegaConf.register_new_resolver("systems_named", systems_named, replace=True)
    OmegaConf.register_new_resolver("one_or_several", one_or_several, replace=True)


def composed(*overrides: str) -> DictConfig:
    """The configuration that train.py makes of these words of a command line."""
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=list(overrides))
    settle_adaptation(cfg, overrides)
    return cfg


def settle_adaptation(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Levenberg-Marquardt where a modulation chose the closed form, not the user, and the dynamics has none."""
    chosen = any(word.lstrip("+").startswith("adaptation=") for word in overrides)
    if not chosen and cfg.adaptation.name == "closed_form" and cfg.dynamics.name not in AFFINE:
        cfg.adaptation = OmegaConf.load(CONF / "adaptation" / "levenberg_marquardt.yaml")


def groups() -> dict[str, list[str]]:
    """The options of every group of conf/ that train.py knows, by file name."""
    known = {setting.name for setting in fields(Config)} | {"experiment"}
    found: dict[str, list[str]] = {}
    for path in sorted(CONF.glob("*/*.yaml")):
        if path.parent.name in known:
            found.setdefault(path.parent.name, []).append(path.stem)
    return found


def systems_named(domains: Any) -> DictConfig:
    """The settings of these systems, each as its yaml has them; `{name: settings}` instead of a name changes some.

    Raises:
        ConfigError: there is no such yaml, it has no such setting, or it is several families itself.
    """
    if not isinstance(domains, ListConfig):
        raise ConfigError(f"system.domains must be a list such as [duffing, pendulum], got {domains!r}")
    found: dict[str, Any] = {}
    for entry in domains:
        name, changes = _named(entry)
        if name not in groups()["system"]:
            raise ConfigError(f"system.domains names {name!r}, which is not known; {closest(name, groups()['system'])}")
        described: Any = OmegaConf.load(CONF / "system" / f"{name}.yaml")
        if "domains" in described:
            raise ConfigError(f"system.domains names {name}, which is several families; name those instead")
        own: Any = OmegaConf.create({key: value for key, value in described.items() if key not in ("defaults", "name")})
        OmegaConf.set_struct(own, True)
        try:
            found[name] = OmegaConf.to_container(OmegaConf.merge(own, changes))
        except OmegaConfBaseException as error:
            parts = {str(key): value for key, value in own.items() if isinstance(value, DictConfig)}
            known = [f"{key}.{inner}" for key, value in parts.items() for inner in map(str, value)]
            raise ConfigError(
                f"system.domains: {name} has no setting {error.full_key}; {closest(str(error.full_key), known)}"
            ) from None
    return OmegaConf.create(found)  # a plain dict could not be put in the place of its interpolation


def _named(entry: Any) -> tuple[str, Any]:
    """Name and changed settings of an entry of system.domains."""
    if isinstance(entry, DictConfig) and len(entry) == 1:
        ((name, changes),) = entry.items()
        if isinstance(changes, DictConfig):
            return str(name), changes
    if not isinstance(entry, str):
        raise ConfigError(f"system.domains holds names and {{name: {{setting: value}}}}, got {entry}")
    return entry, {}


def one_or_several(one: Any, several: Any, *, _root_: DictConfig) -> Any:
    """The first of two defaults, or the second where the system is several families."""
    return several if "domains" in _root_.system else one


def closest(word: str, known: list[str]) -> str:
    """'; did you mean ...?' with the near matches, or what there is."""
    near = get_close_matches(word, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there is {', '.join(known)}"


def each_seed(cfg: DictConfig) -> list[DictConfig]:
    """The single runs that a run with replicas stands for."""
    singles = [copy.deepcopy(cfg) for _ in range(cfg.replicas)]
    for number, single in enumerate(singles):
        single.seed, single.replicas = cfg.seed + number, 1
    return singles


@cache
def chosen_by(learner: str) -> dict[str, str]:
    """What the yaml of a learner chooses in other groups, such as its modulation."""
    described = OmegaConf.load(CONF / "learner" / f"{learner}.yaml")
    assert isinstance(described, DictConfig)
    defaults = described.get("defaults", [])
    pairs = [pair for entry in defaults for pair in entry.items()]
    return {str(key).removeprefix("override /").partition("@")[0]: str(option) for key, option in pairs}


def method_name(cfg: DictConfig) -> str:
    """The method as tables name it, such as "svd(5)", "shift" or "maml"."""
    if "modulation" in chosen_by(cfg.learner.name):
        return str(cfg.learner.name)
    rank = cfg.modulation.get("rank")
    return (
        cfg.modulation.name if rank is None or cfg.modulation.name == "rank_one" else f"{cfg.modulation.name}({rank})"
    )


def dynamics_name(cfg: DictConfig) -> str:
    """The dynamics as tables name it, such as "hamiltonian" or "generic(gnode)"."""
    return cfg.dynamics.name if cfg.bracket is None else f"{cfg.dynamics.name}({cfg.bracket.name})"


def drop_unused_rank(cfg: DictConfig) -> str | None:
    """In a sweep: forget a rank that the modulation cannot take; the note to print, or None."""
    if cfg.rank is None or takes_rank(cfg):
        return None
    note = f"rank is dropped for modulation={cfg.modulation.name}, which has none"
    cfg.rank = None
    return note


def takes_rank(cfg: DictConfig) -> bool:
    return "rank" in cfg.modulation and OmegaConf.is_interpolation(cfg.modulation, "rank")
