"""From the pieces of a configuration and from files to the objects of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from metastruct.config.facts import facts_of, options
from metastruct.config.pieces import class_of, factory, plain
from metastruct.config.schema import Config, ConfigError
from metastruct.config.work import allowed
from metastruct.runs.folder import data_folder
from metastruct.runs.refusals import in_words

if TYPE_CHECKING:
    from metastruct.data.outline import Outline
    from metastruct.data.recordings import Recordings
    from metastruct.data.source import Source
    from metastruct.data.tables.layout import Layout
    from metastruct.data.trajectory import Member
    from metastruct.data.units import Units
    from metastruct.dynamics.dynamics import Scales
    from metastruct.dynamics.model import ModulatedModel
    from metastruct.learners.learner import Learner
    from metastruct.systems.system import System


def component(piece: Mapping[str, Any] | DictConfig, **more: Any) -> Any:
    """What a group's yaml describes, built with its settings and `more`.

    Raises:
        ConfigError: the class refuses its settings.
    """
    try:
        return factory(piece)(**more)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def build_model(cfg: Config, scales: Scales) -> ModulatedModel:
    """The modulated model of a configuration; its initial weights depend on torch's seed.

    Raises:
        ConfigError: a class refuses its settings.
    """
    from metastruct.dynamics.model import ModulatedModel

    optional = {"bracket": cfg.bracket, "knowledge": cfg.known}
    beside = {name: factory(piece) for name, piece in optional.items() if piece is not None}
    net: Any = factory(cfg.net)
    try:
        scales = scales.shared(net.func.alike(len(scales.state_mean), **net.keywords))
        dynamics, encoder = partial(factory(cfg.dynamics), **beside), None
        if cfg.encoder is not None:
            encoder = partial(factory(cfg.encoder), parameters=len(getattr(build_system(cfg), "parameter_names", ())))
        return ModulatedModel(dynamics, factory(cfg.modulation), net, scales, encoder)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def commensurate(cfg: Config) -> Callable[[Units], Units]:
    """The units, nearest to some, in which the dynamics and the net of a configuration have the same form."""
    dynamics: Any = factory(cfg.dynamics)
    net: Any = factory(cfg.net)

    def nearest(units: Units) -> Units:
        shared = units.shared(net.func.alike(len(units.spread), **net.keywords))
        nearest: Units = dynamics.func.commensurate(shared, **dynamics.keywords)
        return nearest

    return nearest


def reader(
    cfg: Config | DictConfig, names: Sequence[str], strict: bool = False
) -> Callable[[Sequence[Member]], tuple[tuple[Member, ...], tuple[str, ...]]]:
    """Members with these states as the dynamics of a configuration takes them, as of `Dynamics.read`."""
    from metastruct.data.driving import unlike
    from metastruct.data.naming import misplaced

    dynamics: Any = factory(plain(cfg.dynamics))
    net, inputs = plain(cfg.net), plain(cfg.data).get("inputs") or ()
    local = facts_of("net", net["name"]).provides.get("sums")
    order = misplaced(names, net.get("dimension", 1)) if local else None

    def read(members: Sequence[Member]) -> tuple[tuple[Member, ...], tuple[str, ...]]:
        continued, lines = dynamics.func.read(members, names=names, strict=strict, **dynamics.keywords)
        return continued, (*([order] if order else []), *lines, *unlike(continued, inputs))

    return read


def model_outside(cfg: Config, model: ModulatedModel, units: Units) -> ModulatedModel:
    """A model that was trained in units of its own as the same model in the units of the data."""
    outside = build_model(cfg, model.dynamics.scales.outside(units))
    constants = {f"dynamics.{name}": part for name, part in outside.dynamics.named_buffers()}
    outside.load_state_dict(model.state_dict() | constants)
    return outside


def build_system(cfg: Config | DictConfig, count: int = 1) -> System | None:
    """The family of a configuration, with the start law that was chosen for it; None where nobody knows the law.

    Args:
        count: starts of each member that the law must give.

    Raises:
        ConfigError: a class refuses its settings, or the two do not go together.
    """
    if cfg.system is None:
        return None
    system: System = component(cfg.system)
    try:
        return system if cfg.start is None else system.started_by(component(cfg.start), count)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def build_source(cfg: Config, note: Callable[[str], None]) -> Source:
    """The data of a configuration, which have what its objective asks of them.

    Args:
        note: told about what takes time.

    Raises:
        ConfigError: a class refuses its settings, a file cannot be read, or the data lack something.
    """
    origin, system = {"system": plain(cfg.system), "start": plain(cfg.start)}, build_system(cfg)
    outline, objective, where = outline_of(cfg, system), component(cfg.objective), data_folder(cfg.outputs)
    try:
        with allowed(cfg.trainer.work):
            source: Source = component(cfg.data, system=system, origin=origin, folder=where, note=note)
        sizes = len(source.state_names), len(source.input_names)
        if sizes != (outline.states, outline.inputs):
            raise ValueError(
                f"data={cfg.data['name']} must have the {outline.states} states and {outline.inputs} inputs of its "
                f"settings, got {sizes[0]} and {sizes[1]}"
            )
        if source.law is None:
            source.take(reader(cfg, source.state_names, strict=True), note)
        objective.check(source.parts)
        recordings = source.recordings()
        objective = objective.settled(recordings)
        source.check_windows(objective.least or objective.window)
        if short := objective.left_out([samples for lengths in recordings.lengths for samples in lengths]):
            note(short)
        if (description := objective.described()) is not None:
            note(description)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        if not facts_of("data", cfg.data["name"]).provides.get("read_files"):
            raise  # it was not of a file of the user's
        raise ConfigError(f"data={cfg.data['name']} cannot be read: {in_words(error)}") from error
    return source


def outline_of(cfg: Config | DictConfig, system: System | None) -> Outline:
    """What the settings of the data say of their members, without torch.

    Raises:
        ConfigError: they do not go together.
    """
    data = plain(cfg.data)
    try:
        outline: Outline = class_of(data["_target_"]).outline(system, **data)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return outline


def layout_of(cfg: Config | DictConfig, states: Sequence[str], inputs: Sequence[str]) -> Layout:
    """Which columns of a table hold these states and inputs, and their units, as the settings of the data say."""
    from metastruct.data.tables.layout import Layout

    data = plain(cfg.data)
    names = {name: data[name] for name in ("member", "trajectory", "time") if isinstance(data.get(name), str)}
    layout, units = Layout.of(states, inputs, **names), data.get("units") or {}
    return replace(layout, units={name: unit for name, unit in units.items() if name in [*layout.named]})


def build_learner(cfg: Config, recordings: Recordings, scales: Scales | None = None) -> Learner:
    """The learner of a configuration with a new model, its seed set.

    Args:
        scales: of the model, instead of those of the recordings.

    Raises:
        ConfigError: a class refuses its settings, the data lack what the objective asks of them, or they have noise
            that the optimizer would solve for.
    """
    import torch

    from metastruct.dynamics.dynamics import Scales

    torch.manual_seed(cfg.seed)
    objective, optimizer, units = component(cfg.objective), component(cfg.optimizer), None
    try:
        objective.check(recordings.parts)
        if scales is None:
            if not recordings.lawful:
                recordings, units = recordings.in_units(commensurate(cfg))
            scales = replace(Scales.of(*recordings.slopes(), recordings.parts.get("inputs")), units=units)
            objective = objective.settled(recordings)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if optimizer.share_by_residuals and (recordings.noisy or objective.noisy(recordings)):
        alternatives = " or ".join(
            name for name in options("optimizer") if "data" not in facts_of("optimizer", name).needs
        )
        raise ConfigError(
            f"optimizer={cfg.optimizer['name']} needs exact observations, for it would solve batches for their noise, "
            f"got some with noise; use optimizer={alternatives}"
        )
    learner: Learner = component(
        cfg.learner,
        model=build_model(cfg, scales),
        recordings=recordings,
        objective=objective,
        steps=cfg.trainer.steps or 0,  # a time decides, once the speed is known
        steps_per_epoch=cfg.trainer.steps_per_epoch,
        seed=cfg.seed,
        optimizer=optimizer,
        locality={"lambda_z": cfg.locality.lambda_z, "lambda_phi": cfg.locality.lambda_phi},
    )
    learner.units = units
    return learner


def codes_kept(cfg: Config) -> int | None:
    """How many codes a training leaves, as its learner declares it: one a training task, or one; None: nobody knows."""
    provided = facts_of("learner", cfg.learner["name"]).provides.get("codes")
    return outline_of(cfg, build_system(cfg)).training if provided == "of tasks" else 1 if provided == "one" else None
