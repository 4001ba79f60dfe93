"""Trajectories at instants whose spacing changes slowly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from metastruct.data.recordings import Recordings
from metastruct.data.shots import Request, support
from metastruct.data.smoothing import smoothed
from metastruct.data.steady import is_even, steadied
from metastruct.data.trajectory import Member, Trajectory

SPAN, COUNT = 6.0, 80
NOISE = np.array([0.02])


def instants(kind, rng):
    if kind == "random":
        return np.sort(np.concatenate([[0.0, SPAN], rng.uniform(0, SPAN, COUNT - 2)]))
    if kind == "bursts":
        return np.concatenate([0.8 * k + np.linspace(0, 0.25, 10) for k in range(8)])
    return np.concatenate([[0.0], np.geomspace(0.01, SPAN, COUNT - 1)])


def wave(t):
    return np.sin(2 * t)[:, None]


def seen(kind, seed, noise=NOISE):
    rng = np.random.default_rng(seed)
    t = instants(kind, rng)
    return Trajectory(t, wave(t) + noise * rng.standard_normal((len(t), 1)), noise=noise)


def even(one, noise=NOISE, held=False):
    return steadied(one, smoothed([one], noise)[0], noise, held)


def mean_with(weight, one):
    """The mean over time with a weight of the states, and its standard deviation."""
    t = one.trajectory.times
    shares = np.concatenate([np.diff(t)[:1], t[2:] - t[:-2], np.diff(t)[-1:]]) / 2 * weight(t)
    return float(shares @ one.trajectory.states[:, 0]), float(np.sqrt(shares**2 @ one.noise[:, 0] ** 2))


@pytest.mark.parametrize("kind", ["random", "bursts", "logarithmic"])
def test_intervals_change_slowly_and_nothing_is_left_out(kind):
    one = seen(kind, 0)
    t = even(one).trajectory.times
    assert (t[0], t[-1], len(t)) == (one.times[0], one.times[-1], len(one.times))

    def changes(times):
        h = np.diff(times)
        return np.median(np.abs(np.diff(h)) / (h[1:] + h[:-1]))

    assert changes(t) < 0.1
    assert kind != "random" or changes(one.times) > 0.3


def test_evenly_spaced_instants_stay_what_they_are_bit_by_bit():
    t = np.linspace(0.0, SPAN, COUNT)
    one = Trajectory(t, wave(t), noise=NOISE)
    assert is_even(t)
    assert not is_even(t**1.01)
    recordings = Recordings([Member((one,))], torch.float64)
    assert recordings.steady is recordings
    np.testing.assert_array_equal(even(one).trajectory.states, one.states)
    np.testing.assert_array_equal(even(one).noise[:, 0], np.full(COUNT, NOISE[0]))


@pytest.mark.parametrize("kind", ["random", "bursts", "logarithmic"])
def test_means_over_time_have_the_errors_that_are_told(kind):
    """Of 400 draws, but for noise of slopes beside gaps; those of single observations, the control, do not."""
    fine = np.linspace(0, SPAN, 20001)

    def weight(t):
        return np.clip(1 - ((t - 3.0) / 1.5) ** 2, 0, None) ** 3

    truth = np.trapezoid(weight(fine) * wave(fine)[:, 0], fine)
    errors, told, control = [], [], []
    for seed in range(400):
        one = even(seen(kind, seed))
        mean, spread = mean_with(weight, one)
        errors.append(mean - truth)
        told.append(spread)
        control.append(mean_with(weight, replace(one, noise=np.minimum(one.noise, NOISE)))[1])
    size, told, control = (np.sqrt(np.mean(np.square(part))) for part in (errors, told, control))
    assert size == pytest.approx(told, rel=0.3)
    assert kind == "logarithmic" or size > 1.31 * control


@pytest.mark.parametrize("kind", ["random", "bursts"])
def test_without_noise_what_is_told_is_the_error_between_the_instants(kind):
    ratios = []
    for seed in range(40):
        one = even(seen(kind, seed, 0 * NOISE), 0 * NOISE)
        inside = slice(4, -4)  # a natural spline is straight at its ends
        error = (one.trajectory.states - wave(one.trajectory.times))[inside]
        ratios.append(np.square(error).mean() / np.square(one.noise[inside]).mean())
    assert 0.1 < np.mean(ratios) < 2


def test_units_change_nothing():
    one = seen("random", 0)
    scaled = Trajectory(1e-9 * one.times, 1e6 * one.states, noise=1e6 * NOISE)
    plain, other = even(one), even(scaled, 1e6 * NOISE)
    np.testing.assert_allclose(other.trajectory.states, 1e6 * plain.trajectory.states, rtol=1e-7, atol=1e-3)
    np.testing.assert_allclose(other.noise, 1e6 * plain.noise, rtol=1e-7)


@pytest.mark.parametrize("held", [False, True])
def test_inputs_keep_their_integral(held):
    one = seen("random", 0)
    inputs = np.sign(np.sin(5 * one.times))[:, None] if held else np.sin(one.times)[:, None]
    driven = Trajectory(one.times, one.states, inputs=inputs, noise=NOISE)
    twin = even(driven, held=held).trajectory
    if held:
        before, after = (np.diff(x.times) @ x.inputs[:-1, 0] for x in (driven, twin))
    else:
        before, after = (np.trapezoid(x.inputs[:, 0], x.times) for x in (driven, twin))
    assert after == pytest.approx(before, rel=1e-9 if held else 1e-2)


def test_a_constant_component_and_two_instants_are_told_apart_from_nothing():
    t = np.array([0.0, 0.1, 0.5, 0.6, 1.5])
    flat = Trajectory(t, np.full((5, 1), 3.0), noise=np.zeros(1))
    assert (even(flat, np.zeros(1)).trajectory.states == 3.0).all()
    assert (even(flat, np.zeros(1)).noise == 0.0).all()
    short = Trajectory(t[:2], np.array([[0.0], [1.0]]), noise=np.zeros(1))
    assert even(short, np.zeros(1)).trajectory.states.tolist() == [[0.0], [1.0]]


def test_two_instants_that_are_the_same_but_for_round_off_are_refused():
    t = np.sort(np.append(np.linspace(0.0, SPAN, COUNT), 40 * SPAN / (COUNT - 1) + 1e-12))
    one = Trajectory(t, wave(t), noise=NOISE)
    with pytest.raises(ValueError, match=r"instants must lie apart by more than round-off, got two at t = 3.0"):
        even(one)


def test_members_with_even_and_uneven_trajectories_go_together():
    t = np.linspace(0.0, SPAN, COUNT)
    both = Member((Trajectory(t, wave(t), derivatives=wave(t), noise=NOISE), seen_with_slopes()))
    recordings = Recordings([both], torch.float64).steady
    assert "derivatives" not in recordings.parts
    assert recordings.read(["noise", "smooth", "states"]).keys() == {"noise", "smooth", "states"}


def seen_with_slopes():
    one = seen("random", 1)
    return Trajectory(one.times, one.states, derivatives=one.states, noise=NOISE)


def test_what_was_not_drawn_says_nothing_of_what_was():
    """Others are moved: smoothed states of those that were drawn stay; among all of them, the control, they do not."""
    request = Request(("states", "smooth", "noise", "times"), window=30, least=10)
    one = seen("random", 2)
    member = Member((Trajectory(one.times, one.states, noise=NOISE),))
    few = support([member], 30, 0, request)
    drawn = np.isin(one.states[:, 0], few.states.flatten().numpy())
    assert drawn.sum() in (26, 27)  # a third
    other = one.states.copy()
    other[~drawn] += 1.0
    moved = Member((Trajectory(one.times, other, noise=NOISE),))
    for part in ("states", "smooth", "noise", "times"):
        assert torch.equal(getattr(support([moved], 30, 0, request), part), getattr(few, part))
    assert not torch.equal(*(support([each], 30, 0, request, sample=True).smooth for each in (member, moved)))


def test_two_instants_that_lie_close_together_change_no_scale():
    """Differences at the instants themselves, the control, are of the noise over the time between the two."""
    one = seen("random", 3)
    close = Trajectory(
        np.insert(one.times, 40, one.times[40] - 1e-6), np.insert(one.states, 40, one.states[40] + NOISE, axis=0)
    )
    truth = np.sqrt(np.mean((2 * np.cos(2 * np.linspace(0, SPAN, 1000))) ** 2))
    _, slopes = Recordings([Member((close,))], torch.float64).slopes()
    assert float(slopes.square().mean().sqrt()) == pytest.approx(truth, rel=0.2)
    control = np.gradient(close.states, close.times, axis=0)
    assert np.sqrt(np.square(control).mean()) > 10 * truth
