"""Trajectories at instants whose spacing changes slowly, as a quadrature wants them.

    g_0 = t_0,  g_{j+1} = g_j + mean of the intervals around the j-th, each with the weight of a normal curve
    x^(g_j) = x~(g_j) + mean over the cell of g_j of the straight lines through x_i - x~_i

x~ is the smoothing spline (`smoothing`), and goes on between the instants; what it left of the observations is noise,
of which a cell has the mean. Means of one noisy observation in several cells err alike: the variance of a cell is what
independent errors must have so that every slowly varying sum over cells has its own,

    sigma_j^2 = sigma^2 sum_i H_ji c_i / C_j,   H the mean above, c_i and C_j the lengths of the cells of t_i and g_j

(the covariance H Sigma H^T lumped row by row). Instants that are evenly spaced stay what they are, and so does all that
was observed there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from metastruct.data.trajectory import Array, Trajectory

EVEN = 1e-10  # share of two intervals by which they differ at most where instants are equally spaced
CLOSEST = 1e-9  # of the mean interval: what is closer counts as twice the same instant
CLOSE = 0.1  # of the mean interval
AROUND = 8.0  # samples, of the normal curve: with fewer the quadrature errs by more than the spline


@dataclass(frozen=True)
class Steady:
    """A trajectory at such instants.

    Args:
        trajectory: with as many instants as were seen, and without derivatives.
        smooth: x~ `[instants, state]`.
        noise: standard deviation of the errors of its states `[instants, state]`.
    """

    trajectory: Trajectory
    smooth: Array
    noise: Array


def is_even(times: Array) -> bool:
    """Are instants `[instants]` equally spaced?"""
    steps, round_off = np.diff(times), 8 * np.finfo(float).eps * np.abs(times).max()
    return bool((np.abs(np.diff(steps)) <= EVEN * (steps[1:] + steps[:-1]) + round_off).all())


def lie_close(times: Array) -> bool:
    """Do some instants `[instants]` follow each other much faster than the others?"""
    steps = np.diff(times)
    return len(steps) > 1 and bool(steps.min() < CLOSE * steps.mean())


def steadied(one: Trajectory, smooth: Array, noise: Array, held: bool) -> Steady:
    """A trajectory with x~ `[instants, state]` at its instants.

    Args:
        noise: its standard deviations `[state]`.
        held: does an input stay as it is from one instant to the next? Else it goes along a straight line.

    Raises:
        ValueError: two instants are the same but for round-off.
    """
    times, inputs = one.times, one.inputs
    if is_even(times):
        return Steady(replace(one, derivatives=None), smooth, np.tile(noise, (len(times), 1)))
    steps = np.diff(times)
    if (steps < CLOSEST * steps.mean()).any():
        first = times[steps.argmin()]
        raise ValueError(
            f"instants must lie apart by more than round-off, got two at t = {first:g}, {steps.min():.1g} apart; a "
            "measurement that was repeated is a trajectory of its own"
        )
    instants = times[0] + np.concatenate([[0.0], gaussian_filter1d(steps, AROUND, mode="nearest").cumsum()])
    instants = times[0] + (instants - times[0]) * ((times[-1] - times[0]) / (instants[-1] - times[0]))
    instants[-1] = times[-1]
    cells = np.concatenate([instants[:1], (instants[1:] + instants[:-1]) / 2, instants[-1:]])
    lengths = np.concatenate([steps[:1], steps[1:] + steps[:-1], steps[-1:]]) / 2
    variance = noise**2 * _means(times, lengths[:, None], cells) / np.diff(cells)[:, None]
    spline = CubicSpline(times, smooth, bc_type="natural")
    variance = variance + _between(times, _bend(spline, lengths), cells)
    paths: Array = spline(instants)
    states = paths + _means(times, one.states - smooth, cells)
    if inputs is not None and held:
        inputs = np.concatenate([_held_means(times, inputs, instants), inputs[-1:]])
    elif inputs is not None:
        inputs = np.stack([np.interp(instants, times, column) for column in inputs.T], -1)
    twin = replace(one, times=instants, states=states, inputs=inputs, derivatives=None)
    return Steady(twin, paths, np.sqrt(variance))


def _means(times: Array, values: Array, cells: Array) -> Array:
    """Of straight lines through values `[instants, n]` over cells with these ends, `[cells, n]`."""
    h = np.diff(times)[:, None]
    total = np.concatenate([0 * values[:1], np.cumsum(h * (values[1:] + values[:-1]) / 2, 0)])
    place = _intervals(times, cells)
    past = (cells - times[place])[:, None]
    upto = total[place] + past * values[place] + past**2 / (2 * h[place]) * (values[place + 1] - values[place])
    means: Array = np.diff(upto, axis=0) / np.diff(cells)[:, None]
    return means


def _intervals(times: Array, places: Array) -> Array:
    """In which interval of instants each place lies, from 0."""
    return np.clip(np.searchsorted(times, places, side="right") - 1, 0, len(times) - 2)


def _bend(spline: CubicSpline, lengths: Array) -> Array:
    """About the root mean square of x'''' `[state]`, as it is of oscillations."""
    speed, second = (spline(spline.x, order) for order in (1, 2))
    shares = (lengths / lengths.sum())[:, None]
    speed = speed - (shares * speed).sum(0)
    square, least = (shares * second**2).sum(0), (shares * speed**2).sum(0)
    bend: Array = np.where(least > 0, square**1.5 / np.where(least > 0, least, 1.0), 0.0)
    return bend


def _between(times: Array, bend: Array, cells: Array) -> Array:
    """The variance of means over cells `[cells, state]` for errors of the spline between the instants.

    e(t) = bend (t - t_i)^2 (t_{i+1} - t)^2 / 24, as a whole of either sign in each interval; lumped as that of noise.
    """
    h, place = np.diff(times), _intervals(times, cells)
    tau, step = cells - times[place], h[place]
    part = tau**3 * (step**2 / 3 - step * tau / 2 + tau**2 / 5) / 24
    whole = h**5 / 720
    upto = np.concatenate([[0.0], np.cumsum(whole**2)])[place] + whole[place] * part
    variance: Array = (np.diff(upto) / np.diff(cells) ** 2)[:, None] * bend**2
    return variance


def _held_means(times: Array, values: Array, ends: Array) -> Array:
    """Of values `[instants, n]` that stay as they are, between these ends, `[ends - 1, n]`."""
    total = np.concatenate([0 * values[:1], np.cumsum(np.diff(times)[:, None] * values[:-1], 0)])
    place = np.searchsorted(times, ends, side="right") - 1
    upto = total[place] + (ends - times[place])[:, None] * values[place]
    means: Array = np.diff(upto, axis=0) / np.diff(ends)[:, None]
    return means
