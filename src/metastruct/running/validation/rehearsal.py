"""The second step of validation: every piece is built, the model on the meta device, before anything is written.

Tensors of that device have shapes and no numbers, so a model of any size is built at once and no generator of random
numbers moves; what its classes refuse is told as a mistake, and its parameters are counted instead of estimated. It
needs torch alone, and comes before the learner, whose package takes twice as long to import. The learner gets two
members that rest; the data themselves, which take time, are made after this and before the run folder. A class whose
constructor asks for numbers is built with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from metastruct.config.facts import described
from metastruct.config.schema import Config, ConfigError
from metastruct.running.assembly import build_learner, build_model, build_system, component, outline_of
from metastruct.running.validation.size import check_trained

if TYPE_CHECKING:
    from metastruct.data.outline import Outline
    from metastruct.data.recordings import Recordings
    from metastruct.dynamics.model import ModulatedModel
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
        _check_sites(config, build_model(config, scales))
        return build_learner(config, resting(outline, samples), scales)


def _check_sites(config: Config, model: ModulatedModel) -> None:
    """Does the model carry the sites that its modulation is told to take?"""
    tags, sites = config.modulation.get("tags"), dict.fromkeys(site.tag for site in model.dynamics.sites)
    if tags and not model.modulation.matrix_sites:
        raise ConfigError(
            f"modulation.tags must name matrices of the net, which has {', '.join(sites)}, got [{', '.join(tags)}]; "
            "name others, or choose a deeper net"
        )
    usual = described("modulation", config.modulation["name"])  # whose tags are taken as far as they are there
    for key in ("tags", "shift_tags"):
        if idle := [t for t in config.modulation.get(key) or () if t not in sites and t not in usual[key]]:
            raise ConfigError(
                f"modulation.{key} holds {idle[0]}, which no site carries, for there is {', '.join(sites)}; leave it "
                f"out, or let dynamics.shared hold it"
            )


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
