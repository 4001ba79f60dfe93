"""How large the misfit of a training on noise is, told by what near states share and by what a twin has learned."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from metastruct.data.noise_level import noise_levels
from metastruct.data.recordings import Recordings
from metastruct.data.trajectory import Member, Trajectory
from metastruct.learners.bootstrap import learned_noise
from metastruct.learners.calibration import JUDGED, combined, nearness, parted, shared

TASKS, POINTS, SIZE = 300, 120, 2


def smooth_functions(states: torch.Tensor, length: float, generator: torch.Generator) -> torch.Tensor:
    """Draws of variance one that are alike at states as near as `length`, `[tasks, points, SIZE]`."""
    covariance = torch.exp(-torch.cdist(states, states).square() / (2 * length**2))
    root = torch.linalg.cholesky(covariance + 1e-9 * torch.eye(states.shape[-2], dtype=states.dtype))
    return root @ torch.randn(*states.shape[:-1], SIZE, dtype=states.dtype, generator=generator)


@pytest.mark.parametrize("told", [1.0, 0.5, 2.0])
def test_the_misfit_is_what_near_states_share_whatever_noise_was_told(told):
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(TASKS, POINTS, 2, dtype=torch.float64, generator=generator)
    share = 0.9 + 0.05 * torch.rand(TASKS, POINTS * SIZE, dtype=torch.float64, generator=generator)
    misfit = (smooth_functions(states, 0.5, generator) * torch.tensor([2.0, 0.5])).flatten(1)
    noise = torch.randn(TASKS, POINTS * SIZE, dtype=torch.float64, generator=generator)
    u, gain, alike = told * share.sqrt() * noise + (1 - share).sqrt() * misfit, 1 - share, nearness(states)
    ratio = shared(gain.sqrt() * u, alike).sum(0) / shared(gain, alike.square()).sum(0)
    torch.testing.assert_close(ratio, torch.tensor([4.0, 0.25], dtype=torch.float64), rtol=0.15, atol=0.1)
    if told != 1.0:  # a mean square that takes the noise for what it was told to be is wrong
        squares = (gain * (u.square() - share)).unflatten(-1, (-1, SIZE)).sum((0, 1))
        wrong = squares / gain.square().unflatten(-1, (-1, SIZE)).sum((0, 1))
        assert ((wrong - ratio).abs() > 2).all()


def test_a_state_shares_nothing_with_itself():
    alike = nearness(torch.randn(3, 9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    assert not alike.diagonal(dim1=-2, dim2=-1).any()
    torch.testing.assert_close(alike, alike.mT, rtol=0, atol=1e-15)
    values = torch.randn(3, 9 * SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    pairs = np.einsum("tij,tic,tjc->tc", alike.numpy(), *[values.unflatten(-1, (9, SIZE)).numpy()] * 2)
    np.testing.assert_allclose(shared(values, alike).numpy(), pairs, atol=1e-12)


@pytest.mark.parametrize("rest", [0.0, 0.1, 0.2, 1.0, 10.0])  # with an error of a tenth
def test_of_what_is_beside_the_noise_that_was_learned_as_much_counts_as_is_sure(rest):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(200, 5000, dtype=torch.float64, generator=generator) * 0.1 * 200**0.5
    known = torch.full((5000,), 0.3, dtype=torch.float64)
    estimates = combined(0.3 + rest + noise, torch.ones_like(noise), known)
    assert bool((estimates >= known).all())
    plain = (0.3 + rest + noise.mean(0)).clamp_min(0.3)  # the control: what is there is as large as it looks
    error, other = (float((part - 0.3 - rest).square().mean().sqrt()) for part in (estimates, plain))
    assert error < (0.7 * other if rest == 0 else 1.3 * other)
    assert abs(float(estimates.mean()) - 0.3 - rest) < 0.06


def member(noise: float, random: np.random.Generator, count: int = 2) -> Member:
    times, each = np.linspace(0, 4, 40), []
    for _ in range(count):
        phase = random.uniform(0, 6)
        states = np.stack([np.cos(times + phase), -np.sin(times + phase)], -1)
        rates = np.stack([-np.sin(times + phase), -np.cos(times + phase)], -1)
        level = np.full(2, noise)
        states, rates = (part + noise * random.standard_normal(part.shape) for part in (states, rates))
        each.append(Trajectory(times, states, rates, noise=level, derivative_noise=level))
    return Member(tuple(each))


def test_a_twin_tells_of_the_error_that_it_learned_and_of_no_other(random_model, small):
    random = np.random.default_rng(0)
    recordings, judges = (Recordings([member(0.1, random) for _ in range(4)], torch.float64) for _ in range(2))
    model = random_model(small("modulation=shift"), gain=2.0).double()
    codes = 0.3 * torch.randn(4, model.code_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    shown: list[Recordings] = []

    def same(seen: Recordings, move: float = 0.0, size: float = 1.0):
        shown.append(seen)
        twin = copy.deepcopy(model)
        for parameter in twin.dynamics.parameters():
            parameter.data.mul_(size)
        return twin, codes + move

    measured = learned_noise(model, codes, recordings, judges, same)
    moved = learned_noise(model, codes, recordings, judges, lambda seen: same(seen, move=0.01))
    assert float(measured.max()) < 1e-9
    assert float(moved.max()) < 1e-9  # codes that are elsewhere are found again: they are no misfit
    wrong = learned_noise(model, codes, recordings, judges, lambda seen: same(seen, size=1.5))
    assert float(wrong.min()) > 1e-3  # the control: a field that no code makes right
    seen = noise_levels([replace_noise(one) for one in shown[0].members])
    assert 0.05 < seen.mean() < 0.2


def replace_noise(one: Member) -> Member:
    """The same, whose noise is to be estimated."""
    return Member(tuple(Trajectory(each.times, each.states, each.derivatives) for each in one.trajectories))


def test_what_judges_is_kept_from_the_training_where_there_is_enough():
    def member(count: int) -> Member:
        times = torch.arange(4.0).numpy()
        return Member(tuple(Trajectory(times, k + 0 * times[:, None]) for k in range(count)))

    kept, judges = parted(Recordings([member(2 * JUDGED), member(2)], torch.float64))
    seen, unseen = (
        [{int(one.states[0, 0]) for one in member.trajectories} for member in each.members] for each in (kept, judges)
    )
    assert seen[0] | unseen[0] == set(range(2 * JUDGED))
    assert not seen[0] & unseen[0]
    assert len(unseen[0]) == 2
    assert seen[1] == unseen[1] == {0, 1}
