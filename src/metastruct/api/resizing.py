"""A model of some bodies or sites as one of another number of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from metastruct.api.model import Model
from metastruct.data.outside import shortly
from metastruct.running.assembly import build_system, outline_of
from metastruct.running.resized import resized
from metastruct.running.run import Run
from metastruct.running.validation import check_read


def resize(model: Model, states: Sequence[str] | None = None, **settings: Any) -> Model:
    """The same law for another number of bodies or sites; the model that is given does not change.

    Nothing is trained: all bodies share the terms of the energy, and what codes change of them. Units that components
    share stay those of the training.

    Args:
        states: the columns of the members of that size, where the model was trained on measured data.
        settings: of the family, where it has a law, such as `oscillators=64`.

    Raises:
        ValueError: there is no such setting, it makes no sense, or weights of the model belong to single bodies.
    """
    if not isinstance(model, Model):
        raise ValueError(f"resize needs a Model, got a {type(model).__name__}; metastruct.load makes one")
    cfg = model.settings.copy()
    by_law = cfg.system is not None
    if bool(settings) != by_law or (states is None) != by_law:
        expected = "settings of the family alone" if by_law else "the columns of their states alone"
        raise ValueError(f"resize needs {expected}, got {shortly(settings if states is None else states)}")
    for name, value in settings.items():
        if name not in cfg.system or OmegaConf.is_config(cfg.system[name]) or name in ("_target_", "name"):
            numbers = ", ".join(key for key, each in cfg.system.items() if type(each) is int)
            raise ValueError(f"system={cfg.system.name} has no {name} to set; there is {numbers or 'nothing'}")
        cfg.system[name] = value
    if states is not None:
        cfg.data.states = [*map(str, states)]
    check_read(cfg)
    size, config = outline_of(cfg, build_system(cfg)).states, Run.of(cfg).config
    if size == model.state_dim:
        raise ValueError(f"resize needs another size, got that of the model, {size} components")
    return Model(cfg, resized(model.trained, config, size), model.folder)
