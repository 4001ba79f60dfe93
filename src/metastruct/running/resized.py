"""A model of n bodies as one of another number: where terms are shared, weights and codes know no n.

Units that components share stay those of the training; other components keep theirs, in their order. What belongs to
single bodies, such as a friction of each, has no form at another number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from metastruct.config.facts import providing
from metastruct.config.pieces import factory
from metastruct.config.schema import Config, ConfigError
from metastruct.running.assembly import build_model
from metastruct.running.trained import Trained

if TYPE_CHECKING:
    from torch import Tensor


def resized(trained: Trained, config: Config, size: int) -> Trained:
    """The same for states of so many components.

    Args:
        config: of the run at the other size; its net, dynamics and modulation are those of the training.

    Raises:
        ConfigError: the net has no terms that are shared, or some weights belong to single bodies.
    """
    net: Any = factory(config.net)
    old, new = (net.func.alike(n, **net.keywords) for n in (len(trained.model.dynamics.state_mean), size))
    if not old:
        raise ConfigError(
            f"net={config.net['name']} is of one number of bodies, got another; use {providing('net', 'sums')}"
        )
    scales = trained.model.dynamics.scales
    names = ("state_mean", "state_std", "derivative_std")
    constants: Any = {name: _carried(getattr(scales, name), old, new, size) for name in names}
    model = build_model(config, replace(scales, **constants)).double()
    kept, there = trained.model.state_dict(), model.state_dict()
    for name, _ in model.named_parameters():
        if kept[name].shape != there[name].shape:
            raise ConfigError(
                f"a model can be carried to another size where no weight belongs to a single body, got {name} of "
                f"{[*kept[name].shape]} and {[*there[name].shape]}; train at this size"
            )
    model.load_state_dict({name: kept[name] if kept[name].shape == t.shape else t for name, t in there.items()})
    noise = trained.noise
    if noise is not None and len(noise) == len(scales.state_mean):
        noise = _carried(noise, old, new, size)
    objective = trained.objective.learned({}, noise)
    return replace(trained, model=model.eval(), objective=objective, noise=noise)


def _carried(values: Tensor, old: Sequence[Sequence[int]], new: Sequence[Sequence[int]], size: int) -> Tensor:
    """Of each component `[size]`: the mean of its group, or that of the same place among those without one.

    Raises:
        ConfigError: other components are of another number.
    """
    alone, free = (sorted({*range(n)}.difference(*groups)) for n, groups in ((len(values), old), (size, new)))
    if len(alone) != len(free) or len(old) != len(new):
        raise ConfigError(f"a state of {size} components has {len(free)} that are of no body, got {len(alone)}")
    result = values.new_empty(size)
    for before, after in zip(old, new, strict=True):
        result[[*after]] = values[[*before]].mean()
    result[free] = values[alone]
    return result
