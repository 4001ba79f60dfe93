"""Secular change: what remains of an oscillating series when the oscillation is averaged out.

An energy along a symplectic rollout oscillates with the orbit and goes nowhere; along another it also drifts. A line
fitted to all samples cannot tell the two apart: the oscillation leaks into the slope, and samples that depend on each
other make its error bar far too small. Here the series is first averaged over blocks of whole turns of the *numerical*
orbit (its period is not that of the exact one), under a weight that vanishes at both ends; every block then holds the
same phases, so that what leaks is the same in each and no slope.

One oscillation is left: the harmonics of the orbit that the samples cannot tell from slow ones, such as the 21st at
20.6 samples a turn. They do not average out within a block, and where a block holds a whole number of samples their
phase creeps from block to block, which looks like a slope with a small error. So each series gets the length of block,
of those near the one asked for, whose samples are farthest from a whole number: what is left then scatters and is in
the error.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def turns_per_sample(states: Array) -> Array:
    """How much of a turn about its centre a closed planar orbit makes between two samples, `[...]`.

    The mean increment of the angle under a weight that vanishes with all derivatives at both ends, which for a
    quasi-periodic orbit converges faster than any power of the number of samples (Das et al. 2017).

    Args:
        states: `[..., samples, 2]`, equally spaced in time, less than half a turn apart.
    """
    centred = states - states.mean(axis=-2, keepdims=True)
    angle = np.unwrap(np.arctan2(*np.moveaxis(centred / centred.std(axis=-2, keepdims=True), -1, 0)), axis=-1)
    increments = np.diff(angle, axis=-1)
    u = (np.arange(increments.shape[-1]) + 1) / (increments.shape[-1] + 1)
    weight = np.exp(-1 / (u * (1 - u)))
    return np.abs((increments * weight).sum(-1) / weight.sum() / (2 * np.pi))


def block_lengths(turns: Array, turns_per_block: int) -> Array:
    """Turns a block of each series, from `turns_per_block` to two more, `[...]` as `turns` per sample."""
    lengths = turns_per_block + np.arange(3)
    blocks = lengths / turns[..., None]  # in samples
    return lengths[np.abs(blocks - np.round(blocks)).argmax(-1)]


def block_means(values: Array, turns: Array, lengths: Array) -> Array:
    """Weighted means over blocks of whole turns, as many as every series has, `[..., blocks]`.

    Args:
        values: `[..., samples]`.
        turns: turns per sample `[...]`.
        lengths: how many turns make a block `[...]`.

    Raises:
        ValueError: there are not three blocks.
    """
    place = np.arange(values.shape[-1]) * (turns / lengths)[..., None]
    blocks = int(np.floor(place[..., -1].min()))
    if blocks < 3:
        raise ValueError(
            f"a slope needs at least three blocks of {np.max(lengths)} turns, got {blocks}; roll out longer"
        )
    index = np.floor(place).astype(int)
    weight = np.sin(np.pi * (place - index)) ** 4
    inside = np.stack([np.where(index == block, weight, 0.0) for block in range(blocks)], axis=-2)
    return (inside * values[..., None, :]).sum(-1) / inside.sum(-1)


def secular_slope(values: Array, turns: Array, turns_per_block: int = 5) -> tuple[Array, Array]:
    """Slope per turn and its standard error, both `[...]`, by least squares over the block means.

    The error is that of a random walk with the increments seen between the blocks, s sqrt(6/(5 B)) for B blocks, which
    is what rounding makes of an energy; where the means scatter independently about the line it is too large by about
    sqrt(B)/5, never too small.
    """
    lengths = block_lengths(turns, turns_per_block)
    means = block_means(values, turns, lengths)
    count = means.shape[-1]
    block = np.arange(count) - (count - 1) / 2
    slope = (means * block).sum(-1) / (block**2).sum()
    error = np.diff(means, axis=-1).std(axis=-1, ddof=1) * np.sqrt(6 / (5 * count))
    return slope / lengths, error / lengths
