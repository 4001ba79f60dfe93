"""The second step of validation: the pieces are built, the model on the meta device, before anything is written.

Tensors of that device have shapes and no numbers, so a model of any size is built at once and no generator of random
numbers moves; what its classes refuse is told as a mistake, and its parameters are counted instead of estimated.
"""

from __future__ import annotations

from metastruct.assembly import build_model, component
from metastruct.config import Config, ConfigError
from metastruct.validation.size import COPIES, SINGLE, memory


def rehearse(config: Config) -> int:
    """The number of parameters of the model of a configuration.

    Raises:
        ConfigError: a class refuses its settings, or the training exceeds the memory of this machine.
    """
    import torch

    from metastruct.dynamics.dynamics import Scales

    component(config.adaptation), component(config.integrator), component(config.objective)
    size = component(config.system).state_dim
    with torch.device("meta"):
        model = build_model(config, Scales(*(torch.ones(size) for _ in range(3))))
    count = sum(parameter.numel() for parameter in model.parameters())
    needed, there = COPIES * SINGLE * config.replicas * count, memory()
    if needed > there:
        raise ConfigError(
            f"the model has {count:,} parameters, whose training would take {needed / 2**30:,.0f} GiB, this machine "
            f"has {there / 2**30:,.0f} GiB; choose a smaller net or modulation"
        )
    return count
