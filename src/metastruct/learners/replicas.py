"""Several seeds trained as one: the numbers of each along a leading axis, every product a batched one.

    loss = sum over replicas of their own losses

so the gradient of a replica is what it would be alone; Adam and descent act on every number apart. A seed keeps its
initialisation, its batches, its codes and its norms, and ends with the numbers of a training of its own. One that
diverges leaves the others alone, for no operation of a step mixes replicas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from metastruct.config.schema import ConfigError
from metastruct.data.batches import Batch, Batches
from metastruct.learners.learner import Learner


class SideBySide(Batches):
    """The batches of several seeds: tasks `[replicas, batch]`, points `[updates, replicas, batch, points]`."""

    def __init__(self, each: Sequence[Batches]):
        self.each, self.shape = each, each[0].shape

    def __getitem__(self, step: int) -> Batch:
        drawn = [batches[step] for batches in self.each]
        points = torch.stack([batch.points for batch in drawn], dim=1)
        return Batch(torch.stack([batch.tasks for batch in drawn]), points)


def together(learners: Sequence[Learner]) -> Learner:
    """The first of these learners, which differ in their seed alone, made to train them all.

    Raises:
        ConfigError: a buffer has other values in one of them, and cannot take an axis of seeds.
    """
    first = learners[0]
    first.model.drawn = frozenset(_drawn(learners))
    numbers = [learner.own() | dict(learner.named_buffers()) for learner in learners]
    for name, tensor in first.own().items():
        tensor.data = torch.stack([single[name].detach() for single in numbers])
    first.batches = SideBySide([learner.batches for learner in learners])
    first.courses = [course for learner in learners for course in learner.courses]
    return first


def _drawn(learners: Sequence[Learner]) -> Iterator[str]:
    """The buffers of the model that are not the same in all, by their names there."""
    first = learners[0]
    kept, seeded = {f"model.{name}": name for name in first.model.state_dict()}, first.own()
    for name, values in first.named_buffers():
        if name in seeded or all(torch.equal(values, learner.get_buffer(name)) for learner in learners):
            continue
        if name not in kept or not values.is_floating_point():
            raise ConfigError(
                f"seeds that are trained together share {name}, got other values of it; make it a persistent buffer "
                "of floating-point numbers, or train each seed alone"
            )
        yield kept[name]
