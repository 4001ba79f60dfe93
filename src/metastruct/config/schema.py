"""The configuration: its types, its groups, and the names that follow from it.

The dataclasses type the settings that every run has. The settings of a component (system, modulation, net ...) are
typed by its own yaml, so that a new component needs no schema of its own; `validation` sees to that and to the meaning.
A field may carry a law, the bounds or the choices of its values, as the facts of a yaml do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict

from metastruct.config.facts import CONF, brings, described, facts_of, options, ranked, settings_of
from metastruct.config.folders import search_path
from metastruct.config.mistakes import ConfigError as ConfigError
from metastruct.config.needs import Piece, unmet
from metastruct.config.resolvers import register_resolvers
from metastruct.config.words import value_of
from metastruct.config.work import MOST

SEED = "0 or more and below 2^63"


def lawful(law: str | tuple[str, ...], default: Any = MISSING, **metadata: str) -> Any:
    """A field whose values have bounds or are among choices; `through` says whose settings alone take it."""
    return field(default=default, metadata={"law": law, **metadata})


@dataclass
class Locality:
    """Weights of the norms in the loss."""

    name: str = MISSING
    lambda_z: float = lawful("0 or more and at most 100")
    lambda_phi: float = lawful("0 or more and at most 100")


@dataclass
class Evaluation:
    """How adapted members are measured."""

    name: str = MISSING
    steps: int = lawful("at least 1 and at most 1000000", through="adaptation")
    start: str = lawful(("mean", "zero"))
    grid: int = lawful("at least 11 and at most 1000")  # the window of the SSIM
    box_scale: float = lawful("above 0 and at most 1000")
    states: str | None = lawful(("visited",), None)
    metrics: list[str] | None = None
    figures: bool = MISSING
    formats: list[str] = field(default_factory=lambda: ["png"], metadata={"law": ("png", "pdf", "svg")})
    animation: bool = False


@dataclass
class Trainer:
    """Length and machinery of the meta-training; only `steps` and `seconds`, of which one is given, change results."""

    name: str = MISSING
    steps: int | None = lawful("at least 1")
    seconds: float | None = lawful("above 0", None)
    steps_per_epoch: int = lawful("at least 1")
    accelerator: str = lawful(("auto", "cpu", "cuda"))
    threads: int = lawful("0 or more and at most 1024")
    compile: str = lawful(("auto", "always", "never"))
    checkpoint_seconds: float = lawful("0 or more")
    work: float = lawful(f"at least 1 and at most {MOST}", 1.0)


@dataclass
class Logger:
    """Where curves go; changes no result."""

    name: str = MISSING
    mode: str = lawful(("offline", "online", "disabled"))
    project: str = MISSING


@dataclass
class Config:
    """Everything that `train.py` can be told."""

    system: Any = None
    start: Any = None
    modulation: Any = MISSING
    locality: Locality = field(default_factory=Locality)
    net: Any = MISSING
    bracket: Any = None
    dynamics: Any = MISSING
    known: Any = None
    encoder: Any = None
    integrator: Any = MISSING
    learner: Any = MISSING
    adaptation: Any = MISSING
    evaluation: Evaluation = field(default_factory=Evaluation)
    objective: Any = MISSING
    optimizer: Any = MISSING
    trainer: Trainer = field(default_factory=Trainer)
    logger: Logger = field(default_factory=Logger)
    data: Any = MISSING
    rank: int | None = lawful("at least 1", None)
    shots: int = lawful("at least 1", 200)
    seed: int = lawful(SEED, 0)
    replicas: int = lawful("at least 1", 1)
    force: bool = False
    outputs: str = "outputs"
    tag: str = "main"


COMPONENTS = tuple(setting.name for setting in fields(Config) if setting.type == "Any")  # whose yaml names a class
OPTIONAL = tuple(setting.name for setting in fields(Config) if setting.type == "Any" and setting.default is None)


def register() -> None:
    """Make the schema and the resolvers known to Hydra; harmless when repeated."""
    ConfigStore.instance().store(name="metastruct_schema", node=Config)
    register_resolvers()


def composed(*overrides: str) -> DictConfig:
    """The configuration that train.py makes of these words of a command line.

    Raises:
        ConfigError: a piece was told to be another one than its yaml says.
    """
    register()
    around = GlobalHydra.instance().hydra  # of an application that this is a part of
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("train", overrides=[*overrides, *search_path()], return_hydra_config=True)
    finally:
        GlobalHydra.instance().hydra = around
    choices = {str(group): option for group, option in cfg.hydra.runtime.choices.items()}
    with open_dict(cfg):
        del cfg["hydra"]
    settle(cfg, overrides, choices)
    return cfg


def settle(cfg: DictConfig, words: Sequence[str], choices: Mapping[str, str | None]) -> None:
    """What is done to a configuration once Hydra has composed it: facts go, and defaults that do not fit give way.

    Args:
        words: of the command line.
        choices: the option of each group.

    Raises:
        ConfigError: a piece was told to be another one than its yaml says.
    """
    for word in words:
        check_switch(cfg, word)
    pieces = described_pieces(cfg)
    for group, piece in pieces.items():
        with open_dict(piece):
            facts, option = piece.pop("facts", {}), choices.get(group)
        if option is not None and facts != described(group, option).get("facts", {}):
            raise ConfigError(f"{group}.facts are no settings; conf/{group}/{option}.yaml holds what is known of it")
    check_names(cfg, choices)
    chosen = any(word.lstrip("+").startswith("adaptation=") for word in words)
    instead = facts_of("adaptation", cfg.adaptation.name).instead if "adaptation" in pieces else None
    if instead is not None and not chosen:
        as_described = {group: Piece.as_described(group, piece.name) for group, piece in pieces.items()}
        if any(need.piece.group == "adaptation" for need in unmet(as_described)):
            cfg.adaptation = settings_of("adaptation", instead)


def check_switch(cfg: DictConfig, word: str) -> None:
    """Refuse a number but 0 and 1 where true or false is asked for, for it would stand for true, by a ConfigError."""
    key, equals, text = word.lstrip("+").partition("=")
    switch = equals and isinstance(OmegaConf.select(cfg, key, throw_on_resolution_failure=False), bool)
    if switch and type(value := value_of(key, text)) in (int, float) and value not in (0, 1):
        raise ConfigError(f"{key} must be true or false, got {value}")


def check_names(cfg: DictConfig, choices: Mapping[str, str | None]) -> None:
    """Is every piece the one that was chosen, by its name and its class?

    Raises:
        ConfigError: `name` or `_target_` was given another value.
    """
    for group, piece in described_pieces(cfg).items():
        option = choices.get(group)
        if option is None:
            continue
        for key, value in {"name": option, "_target_": described(group, option).get("_target_")}.items():
            if piece.get(key) != value:
                raise ConfigError(
                    f"{group}.{key} is no setting: {group}={option} has {value}, got {piece.get(key)}; choose "
                    f"{group}= one of {', '.join(options(group))}"
                )


def described_pieces(cfg: DictConfig) -> dict[str, DictConfig]:
    """The parts of a configuration that have a yaml, by group."""
    parts = {str(group): cfg[group] for group in cfg if not OmegaConf.is_missing(cfg, group)}
    return {group: part for group, part in parts.items() if isinstance(part, DictConfig) and "name" in part}


def names(cfg: DictConfig) -> dict[str, str]:
    """The option of each group of a configuration."""
    return {group: str(piece.name) for group, piece in described_pieces(cfg).items()}


def groups() -> dict[str, list[str]]:
    """The options of every group of conf/ that train.py knows, by file name."""
    settings = {setting.name for setting in fields(Config)} | {"experiment"}
    return {group: [*options(group)] for group in sorted(settings) if options(group)}


def method_name(cfg: DictConfig) -> str:
    """The method as tables name it, such as "svd(5)", "shift" or "maml"."""
    if "modulation" in brings("learner", cfg.learner.name):
        return str(cfg.learner.name)
    name = str(cfg.modulation.name)
    return f"{name}({cfg.modulation.rank})" if ranked(name) else name


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
    """Does the modulation take the rank of the command line?"""
    return "rank" in cfg.modulation and OmegaConf.is_interpolation(cfg.modulation, "rank")
