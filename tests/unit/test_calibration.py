"""How large the misfit of a training on noise is, told by what neighbours share."""

from __future__ import annotations

import pytest
import torch

from metastruct.data.recordings import Recordings
from metastruct.data.trajectory import Member, Trajectory
from metastruct.learners.calibration import BLOCK, JUDGED, _blocks, _pairs, parted, positive

TASKS, LENGTHS, SIZE = 400, [90, 57, 103], 2


@pytest.mark.parametrize("told", [1.0, 0.5, 2.0])
def test_the_misfit_is_what_neighbours_share_whatever_noise_was_told(told):
    generator = torch.Generator().manual_seed(0)
    points = sum(LENGTHS)
    blocks = _blocks([LENGTHS] * TASKS, 1, points)
    share = 0.9 + 0.05 * torch.rand(TASKS, points * SIZE, dtype=torch.float64, generator=generator)
    levels = torch.randn(TASKS, int(blocks.max()) + 1, SIZE, dtype=torch.float64, generator=generator)
    misfit = levels.gather(1, blocks[..., None].expand(-1, -1, SIZE)).flatten(1) * torch.tensor([2.0, 0.5]).repeat(
        points
    )
    noise = torch.randn(TASKS, points * SIZE, dtype=torch.float64, generator=generator)
    u, gain = told * share.sqrt() * noise + (1 - share).sqrt() * misfit, 1 - share
    shared = _pairs(gain.sqrt() * u, blocks).sum(0) / _pairs(gain, blocks).sum(0)
    torch.testing.assert_close(shared, torch.tensor([4.0, 0.25], dtype=torch.float64), rtol=0.25, atol=0.1)
    if told != 1.0:  # a mean square that takes the noise for what it was told to be is wrong
        squares = (gain * (u.square() - share)).unflatten(-1, (-1, SIZE)).sum((0, 1))
        wrong = squares / gain.square().unflatten(-1, (-1, SIZE)).sum((0, 1))
        assert ((wrong - shared).abs() > 2).all()


def test_a_positive_ratio_has_the_mean_of_what_its_error_leaves():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(100, 1, dtype=torch.float64, generator=generator)
    noise = (noise - noise.mean()) / noise.std(correction=0)
    wholes = torch.ones_like(noise)
    for ratio in (-0.2, 0.0, 0.1, 5.0):  # with an error of a tenth
        normal = ratio + 0.1 * torch.randn(10**6, dtype=torch.float64, generator=generator)
        expected = normal[normal > 0].mean()
        torch.testing.assert_close(positive(ratio + noise, wholes)[0], expected, rtol=0.01, atol=0.001)
    assert positive(wholes, wholes) == 1  # without an error it is the ratio


def test_no_block_is_of_two_trajectories():
    (numbers,) = _blocks([LENGTHS], 1, sum(LENGTHS) + 5)
    parts = numbers[: sum(LENGTHS)].split(LENGTHS)
    for one in range(len(parts)):
        assert torch.bincount(parts[one]).max() <= BLOCK
        for other in range(one):
            assert not set(parts[one].tolist()) & set(parts[other].tolist())


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
