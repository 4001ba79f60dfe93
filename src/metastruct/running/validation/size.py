"""Does a run fit into the memory of the machine, and into the time of people? Estimates from below, without torch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from metastruct.config.conditions import holds
from metastruct.config.facts import facts_of
from metastruct.config.pieces import plain
from metastruct.config.schema import ConfigError
from metastruct.config.work import FIX, allowed
from metastruct.running.assembly import build_system

if TYPE_CHECKING:
    from metastruct.data.outline import Outline

MOST_STEPS = 500_000  # of a rollout, whose error at half the step is measured as well
DOUBLE, SINGLE = 8, 4  # bytes of a number of the data and of a training
LONGEST = 86_400.0  # seconds of a training, or of all adaptations to test members: a day
PACE = 1_000  # gradient steps a second, more than most machines make
COPIES = 4  # of a weight: itself, its gradient and two moments of its optimizer


def check_size(cfg: DictConfig, outline: Outline) -> None:
    """Refuse what exceeds all the memory that there is."""
    for label, size, keys in sizes(cfg, outline):
        check_fits(label, size, f"lower {keys}")


def check_steps(cfg: DictConfig, outline: Outline) -> None:
    """Refuse rollouts, which have an output at each sample, whose steps nobody waits for, or longer than they are."""
    step, duration = cfg.integrator.get("step_size"), outline.duration
    if step is None or duration is None:
        return
    steps = duration / step + (outline.longest or 0)
    key = outline.settings.get("duration", "the time of the data")
    if step > duration:
        raise ConfigError(f"integrator.step_size must be at most {key} = {duration:g}, got {step:g}; lower it")
    limit = int(MOST_STEPS * cfg.trainer.work)
    if steps > limit:
        count = f"{steps:,.0f}" if steps < 1e15 else f"{steps:.1g}"
        raise ConfigError(
            f"integrator.step_size must divide {key} = {duration:g} into at most {limit:,} steps, got {step:g}, "
            f"which makes {count}; raise it, lower {key}, or {FIX}"
        )


def check_training(cfg: DictConfig) -> None:
    """Refuse a training, or the adaptations of all seeds, that nobody waits for."""
    limit = LONGEST * cfg.trainer.work
    if (cfg.trainer.seconds or 0) > limit:
        raise ConfigError(
            f"trainer.seconds must be at most {limit:,.0f}, got {cfg.trainer.seconds:,.0f}; lower it, or {FIX}"
        )
    trains = facts_of("learner", cfg.learner.name).trains
    for key, group in (("trainer.steps", "learner"), ("replicas", "adaptation")):
        times = OmegaConf.select(cfg, key) if trains or group != "learner" else None
        each = _repeated(cfg, group)
        count = (times or 0) * (sum(each.values()) if each else group == "learner")
        if count > limit * PACE:
            settings = {key: times, **each}
            words = " with ".join(f"{name}={value}" for name, value in settings.items())
            raise ConfigError(
                f"{words} would be {count:,} gradient steps, {count / PACE / LONGEST:,.1f} days at {PACE:,} a second, "
                f"of which {limit * PACE:,.0f} are made; lower {' or '.join(settings)}, or {FIX}"
            )


def _repeated(cfg: DictConfig, group: str) -> dict[str, int]:
    """The settings that count the gradient steps of an outer step, or of an adaptation."""
    piece = plain(cfg[group])
    repeats = facts_of(group, piece["name"]).repeats
    counted = repeats.get("settings", ()) if holds(repeats.get("where", {}), piece) else ()
    return {f"{group}.{setting}": piece[setting] for setting in counted}


def check_law(cfg: DictConfig) -> None:
    """Refuse a simulation that nobody waits for."""
    system = build_system(cfg)
    if system is None or not facts_of("data", cfg.data.name).provides.get("simulates"):
        return
    from metastruct.data.stiffness import bound_of, check_stiffness

    data = cfg.data
    bound = bound_of(data.tolerance, system.families * data.train_tasks * data.trajectories * system.state_dim)
    try:
        with allowed(cfg.trainer.work):
            check_stiffness(system, data.horizon, data.points, bound, data.seed)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def check_trained(parameters: int, replicas: int) -> None:
    """Refuse a training of so many parameters that exceeds all the memory that there is."""
    label = f"the training of a model of {parameters:,} parameters"
    check_fits(label, COPIES * SINGLE * replicas * parameters, "choose a smaller net or modulation")


def check_fits(label: str, size: float, advice: str) -> None:
    """Refuse what needs more memory than this machine has."""
    if size > (there := memory()):
        raise ConfigError(
            f"{label} would take {size / 2**30:,.0f} GiB, this machine has {there / 2**30:,.0f} GiB; {advice}"
        )


def sizes(cfg: DictConfig, outline: Outline) -> list[tuple[str, float, str]]:
    """What is large, its bytes, and the settings that make it so."""
    batch = cfg.learner.get("task_batch", 1)
    large: list[tuple[str, float, str]] = []
    if outline.numbers is not None:
        keys = outline.settings.get("numbers", "settings of data")
        large = [(f"the {cfg.data.name} data", 2 * DOUBLE * outline.numbers, keys)]  # with derivatives
    if outline.tasks is not None:
        batch = min(batch, outline.tasks)
    width, depth = cfg.net.get("width"), cfg.net.get("depth")
    if width is None or depth is None:
        return large
    code, hidden = cfg.modulation.get("code_dim", 0), cfg.modulation.get("hidden", 0)
    generating = (code * hidden if hidden else code * width) * COPIES * SINGLE * cfg.replicas  # of one site at least
    batch *= cfg.learner.get("point_batch", 1)
    of_a_batch = "learner.point_batch, learner.task_batch or net.width"
    return [
        *large,
        ("the hyper-network", generating, "modulation.code_dim or modulation.hidden"),
        ("the net", COPIES * SINGLE * cfg.replicas * (depth - 1) * width**2, "net.width or net.depth"),
        ("a batch", SINGLE * cfg.replicas * batch * depth * width, of_a_batch),
    ]


def memory() -> float:
    """Bytes of this machine."""
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
