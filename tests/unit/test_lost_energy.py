"""A law that keeps its energy is told to be wrong by members that lose it."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import torch

import metastruct
from metastruct.data.trajectory import Member, Trajectory
from metastruct.evaluation.lost_energy import lost_energy

TINY = {"net.width": 8, "modulation.code_dim": 2, "trainer.steps_per_epoch": 10}


class Spring(torch.nn.Module):
    """H = (q^2 + p^2)/2 + miss q, of frequency one; the last term is what a training missed."""

    def __init__(self, miss: float, conserves: bool = True):
        super().__init__()
        self.miss, self.dynamics = miss, torch.nn.Module()
        self.dynamics.conserves = conserves

    def energy(self, x, codes):
        return x.square().sum(-1) / 2 + self.miss * x[..., 0]


def members(friction, noise=0.02, count=6, instants=80):
    """Springs that are let go anywhere; negative friction drives them."""
    rng, t = np.random.default_rng(0), np.linspace(0, 7, instants)

    def path():
        size, phase = rng.uniform(0.5, 1.5), rng.uniform(0, 2 * np.pi)
        x = size * np.exp(-friction * t)[:, None] * np.stack([np.cos(t + phase), -np.sin(t + phase)], -1)
        return Trajectory(t, x + noise * rng.standard_normal(x.shape))

    return [Member((path(), path(), path())) for _ in range(count)]


@pytest.mark.parametrize(("friction", "words"), [(0.05, "falls along .* friction"), (-0.05, "rises along .* drives")])
def test_members_that_lose_or_gain_energy_are_told(friction, words):
    line = lost_energy(Spring(0.1), torch.zeros(6, 1), members(friction))
    assert line is not None
    assert re.search(words, line)


@pytest.mark.parametrize("miss", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.2])
def test_members_that_keep_it_are_not_however_far_the_training_came(miss, noise):
    assert lost_energy(Spring(miss), torch.zeros(6, 1), members(0.0, noise)) is None


def test_nothing_is_said_of_laws_with_friction_or_of_too_few():
    assert lost_energy(Spring(0.1, conserves=False), torch.zeros(6, 1), members(0.05)) is None
    assert lost_energy(Spring(0.1), torch.zeros(1, 1), members(0.05, count=1)) is None
    assert lost_energy(Spring(0.1), torch.zeros(6, 1), members(0.05, instants=8)) is None


@pytest.mark.parametrize("friction", [0.0, 0.1])
def test_a_fit_tells_it(friction, tmp_path):
    turn = np.array([[-friction, -1.0], [1.0, -friction]])
    seen = [
        [dict(times=one.times, states=one.states, derivatives=one.states @ turn) for one in member.trajectories]
        for member in members(friction, noise=0.0)
    ]
    family = metastruct.Family.from_arrays(seen, states=["q", "p"])
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        metastruct.fit(family, "hamiltonian", steps=100, rank=2, progress=False, outputs=tmp_path, settings=TINY)
    assert any("the learned energy falls" in str(one.message) for one in heard) == (friction > 0)
