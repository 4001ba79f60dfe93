"""The second step of validation: every piece is built, the model on the meta device, before anything is written.

Tensors of that device have shapes and no numbers, so a model of any size is built at once and no generator of random
numbers moves; what its classes refuse is told as a mistake, and its parameters are counted instead of estimated. It
imports torch and the learner's package, which takes seconds: what yamls declare is answered before it, and this is the
last line, for pieces whose yaml does not say. The learner gets two members that rest; the data themselves, which take
time, are made after this and before the run folder. A class whose constructor asks for numbers is built with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from metastruct.config.needs import chosen
from metastruct.config.pieces import plain
from metastruct.config.schema import COMPONENTS, Config, ConfigError
from metastruct.running.assembly import build_learner, build_system, component, outline_of
from metastruct.running.validation.sites import check_tags
from metastruct.running.validation.size import check_trained

if TYPE_CHECKING:
    from metastruct.data.outline import Outline
    from metastruct.data.recordings import Recordings
    from metastruct.learners.learner import Learner


def rehearse(config: Config) -> int:
    """The number of parameters of the model of a configuration.

    Raises:
        ConfigError: a class refuses its settings, or the training exceeds the memory of this machine.
    """
    import torch

    try:
        learner = built(config, "meta")
    except NotImplementedError:  # what torch says of numbers that are not there
        learner = built(config, "cpu")
    component(config.adaptation), component(config.integrator)
    weight, code = (torch.nn.Parameter(torch.zeros(2, 2)) for _ in range(2))
    try:
        learner.optimizer.over([weight], code, lazy=True)
        learner.optimizer.over([weight], code)
    except ValueError as error:
        raise ConfigError(f"optimizer={config.optimizer['name']}: {error}") from error
    count = sum(parameter.numel() for parameter in learner.model.parameters())
    check_trained(count, config.replicas)
    return count


def built(config: Config, device: str) -> Learner:
    """The learner on a device, before its first step; torch's random numbers stay where they are."""
    import torch

    from metastruct.dynamics.dynamics import Scales

    outline = outline_of(config, build_system(config))
    samples = outline.longest or max(2, component(config.objective).window)
    with torch.random.fork_rng(devices=[]), torch.device(device):
        state, driving = torch.ones(outline.states), torch.ones(outline.inputs) if outline.inputs else None
        scales = Scales(state, state, state, input_mean=driving, input_std=driving)
        learner = build_learner(config, resting(outline, samples), scales)
    pieces = chosen({group: plain(getattr(config, group)) for group in COMPONENTS})
    check_tags(pieces, [site.tag for site in learner.model.dynamics.sites])
    return learner


def resting(outline: Outline, samples: int) -> Recordings:
    """Two members in one trajectory of so many samples each, that do not move; derivatives unless nobody knows them."""
    import numpy as np
    import torch

    from metastruct.data.recordings import Recordings
    from metastruct.data.trajectory import Member, Trajectory

    still = np.zeros((samples, outline.states))
    slopes = None if outline.derivatives is False else still
    driving = np.zeros((samples, outline.inputs)) if outline.inputs else None
    trajectory = Trajectory(np.arange(float(samples)), still, slopes, driving)
    return Recordings([Member((trajectory,))] * 2, torch.float32)
