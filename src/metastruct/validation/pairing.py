"""Which system, dynamics, bracket, net, modulation, learner, adaptation and integrator go together."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from metastruct.config import AFFINE, CONF, ConfigError, chosen_by, groups, takes_rank
from metastruct.pieces import factory

WITH_CODES = ("auto_decoding",)  # learners whose tasks differ in a code of few numbers
LINEAR = ("camel", "full_weight", "shift")  # modulations whose updates are linear in what is generated
WEIGHT_MODULATIONS = ("weights", "output_weights")  # a code is a change of weights, and goes with these adaptations:
WEIGHT_ADAPTATIONS = ("descent", "fine_tuning", "from_scratch")


def check_rank(cfg: DictConfig) -> None:
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


def check_learner(cfg: DictConfig) -> None:
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


def check_system(cfg: DictConfig) -> None:
    settings: Any = OmegaConf.to_container(cfg.system, resolve=True)
    settings.pop("name")
    try:
        system = factory(settings)()
    except (ValueError, TypeError) as error:
        key = "domains" if "domains" in settings else "parameters"
        raise ConfigError(f"system.{key}: {error}") from None
    metriplectic = system.structure == "metriplectic"
    hamiltonian = system.structure == "conservative" and system.canonical
    if cfg.dynamics.name == "hamiltonian" and not hamiltonian:
        raise ConfigError(
            "Hamiltonian dynamics needs a conservative system in canonical coordinates (q, p), "
            f"got {system.name!r}, which is {system.structure}; "
            f"use dynamics={'generic' if metriplectic else 'unstructured'}"
        )
    if cfg.dynamics.name == "generic" and not metriplectic:
        raise ConfigError(
            f"GENERIC dynamics needs a metriplectic system, got {system.name!r}, which is {system.structure}; "
            f"use dynamics={'hamiltonian' if hamiltonian else 'unstructured'}"
        )
    if cfg.net.name == "separable" and cfg.dynamics.name != "hamiltonian":
        raise ConfigError(f"net=separable is a potential T(p) + V(q), got dynamics={cfg.dynamics.name}; use net=mlp")


def check_adaptation(cfg: DictConfig) -> None:
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


def check_bracket(cfg: DictConfig) -> None:
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


def check_integrator(cfg: DictConfig) -> None:
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
