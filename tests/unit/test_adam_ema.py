"""A training by adam_ema ends at the mean of Adam's iterates, which it does not touch before."""

from __future__ import annotations

import torch
from torch import Tensor

from metastruct.optimizers.adam import Adam
from metastruct.optimizers.adam_ema import AdamEMA

RATES = {"base_rate": 0.05, "code_rate": 0.03, "beta2": 0.99}
STEPS = 30


def path(optimizer: Adam) -> list[Tensor]:
    """A parameter after each step of a training along noisy gradients."""
    parameter = torch.nn.Parameter(torch.ones(4, dtype=torch.float64))
    rules = optimizer.over([parameter])
    generator, walked = torch.Generator().manual_seed(0), []
    for step in range(STEPS):
        optimizer.anneal(rules, step, STEPS)
        parameter.grad = parameter.detach() + torch.randn(4, dtype=torch.float64, generator=generator)
        for rule in rules:
            rule.step()
        walked.append(parameter.detach().clone())
    return walked


def test_the_last_step_goes_to_the_mean_of_all_iterates():
    iterates, averaged = path(Adam(**RATES)), path(AdamEMA(decay=0.9, **RATES))
    assert all(torch.equal(one, other) for one, other in zip(iterates[:-1], averaged[:-1], strict=True))
    mean = iterates[0]
    for number, iterate in enumerate(iterates):
        share = min(0.9, (1 + number) / (10 + number))
        mean = share * mean + (1 - share) * iterate
    torch.testing.assert_close(averaged[-1], mean)
    assert not torch.allclose(averaged[-1], iterates[-1])


def test_a_mean_that_forgets_at_once_is_the_last_iterate():
    torch.testing.assert_close(path(AdamEMA(decay=0.0, **RATES))[-1], path(Adam(**RATES))[-1])
