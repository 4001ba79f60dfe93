"""Observations that are errors: single samples that no smooth motion passes through.

A sample that is off by a changes every difference of order q that it is part of, e = C x with rows of norm one
(`noise_level`), so it shows in u = C^T e = P x, the noise of which is known:

    a_i = u_i / P_ii,   v_i = u_i / sqrt((P P)_ii),   z_i = |v_i| / scale,   scale = median |v| / 0.6745

of the order whose scale is least (Hampel 1974, of differences in the place of medians). The largest z of a place is
taken for an error where it exceeds a bound and a is no small change of its component. Only if what is left of the place
is smooth then: where a force jumps, or something is hit, it is not, and all samples stay. So they do at the ends of a
trajectory, and where an input drives a member, for it may jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from metastruct.data.noise_level import NORMAL, difference_weights, differences
from metastruct.data.trajectory import Array, Member, Trajectory

ORDERS = (3, 4, 6)
SMALLEST = 0.01  # a, over the spread of its component: less harms no fit, and may be round-off
LEFT = 3.5  # z that noise may have in what is left of a place
TOGETHER = 3  # samples of one place that may be errors
MOST = 0.1  # share of the samples of a member above which they are its way of moving
FEWEST = 16  # samples of a trajectory that is looked at
SHOWN = 5  # instants, or members, that are named
SUSPECT = 6.0  # bound of what is told where nothing is set aside
PLAUSIBLE = 0.75  # of the bound, which a difference that an outlier is part of exceeds


def without_outliers(members: Sequence[Member], bound: float) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    """The members without samples beyond the bound, in standard deviations of the noise, and what was done to which."""
    left, notes = [], list[str]()
    for number, member in enumerate(members):
        masks = [outlying(one, bound) for one in member.trajectories]
        count, total = sum(int(mask.sum()) for mask in masks), sum(map(len, masks))
        owner = f" of member {member.name or number}" if member.name or len(members) > 1 else ""
        if count > MOST * total:
            notes.append(f"{count} of {total} observations{owner} look like outliers, too many: all of them stay")
        elif count:
            pairs = [*zip(member.trajectories, masks, strict=True)]
            places = _listed([t for one, mask in pairs for t in one.times[mask]])
            notes.append(f"{count} of {total} observations{owner} are outliers and set aside, at t = {places}")
            member = replace(member, trajectories=tuple(one.part(~mask) for one, mask in pairs))
        left.append(member)
    return tuple(left), tuple(notes)


def suspected(members: Sequence[Member]) -> str | None:
    """A line on what looks like outliers, where something does."""
    places, total = dict[str, list[float]](), 0
    for number, member in enumerate(members):
        total += sum(map(len, member.trajectories))
        instants = [t for one in member.trajectories for t in one.times[outlying(one, SUSPECT)]]
        if instants:
            places[member.name or str(number)] = instants
    if not places:
        return None
    worst = sorted(places, key=lambda name: -len(places[name]))
    names = "; ".join(f"{name} at t = {_listed(places[name])}" for name in worst[:SHOWN])
    names = names if len(members) > 1 else f"at t = {_listed(places[worst[0]])}"
    return (
        f"{sum(map(len, places.values()))} of {total} observations look like outliers: {names}"
        f"{'; ...' if worst[SHOWN:] else ''}; train with data.outliers={SUSPECT:g} to set such aside, there and in "
        "every adaptation"
    )


def looked_at(member: Member) -> str:
    """How many observations of a member look like outliers, in words; empty where an input drives it."""
    if any(one.inputs is not None for one in member.trajectories):
        return ""
    total = sum(map(len, member.trajectories))
    count = sum(int(outlying(one, SUSPECT).sum()) for one in member.trajectories)
    return f"{count or 'none'} of its {total} observations {'look' if count > 1 else 'looks'} like an outlier"


def _listed(instants: Sequence[float]) -> str:
    return ", ".join(f"{t:g}" for t in instants[:SHOWN]) + (", ..." if len(instants) > SHOWN else "")


def outlying(one: Trajectory, bound: float) -> Array:
    """Which instants have a component of the state that is an error `[instants]`."""
    errors = np.zeros(len(one), dtype=bool)
    if len(one) < FEWEST or one.inputs is not None:
        return errors
    sizes = np.abs(differences(one.times, one.states, ORDERS[1]))
    likely = (sizes > PLAUSIBLE * bound * np.median(sizes, axis=0) / NORMAL).any(0)
    for values in one.states[:, likely].T:
        errors |= _errors(one.times, values, bound)
    return errors


def _errors(times: Array, values: Array, bound: float) -> Array:
    """Of one component `[instants]`."""
    removed, fresh = np.zeros(len(times), dtype=bool), True
    order = min(ORDERS, key=lambda each: _scores(times, values, each)[2])
    least = SMALLEST * values.std()
    for _ in range(TOGETHER):
        if not fresh:
            break
        places = np.flatnonzero(~removed)
        z, change, _ = _scores(times[places], values[places], order)
        wide = np.lib.stride_tricks.sliding_window_view(np.pad(z, order), 2 * order + 1).max(-1)
        chosen = places[(z > bound) & (change > least) & (z == wide)]
        chosen = chosen[(chosen >= order) & (chosen < len(times) - order)]  # an end has neighbours on one side alone
        removed[chosen], fresh = True, len(chosen) > 0
    places = np.flatnonzero(~removed)
    z, change, _ = _scores(times[places], values[places], order)
    rough = places[(z > LEFT) & (change > least)]
    for place in np.flatnonzero(removed):
        if len(rough) and np.abs(rough - place).min() <= 2 * order:
            removed[place] = False
    return removed


def _scores(times: Array, values: Array, order: int) -> tuple[Array, Array, float]:
    """z and |a| `[instants]`, and the scale."""
    count = len(times)
    weights = np.broadcast_to(difference_weights(times, order), (count - order, order + 1))
    rows = np.repeat(np.arange(count - order), order + 1)
    columns = (np.arange(count - order)[:, None] + np.arange(order + 1)).ravel()
    c = csr_array((weights.ravel(), (rows, columns)), shape=(count - order, count))
    p = (c.T @ c).tocsr()
    u = p @ (values - values.mean())
    v = u / np.sqrt(np.asarray(p.multiply(p).sum(1)).ravel())
    scale = float(np.median(np.abs(v))) / NORMAL
    z = np.abs(v) / scale if scale > 0 else np.where(np.abs(v) > 0, np.inf, 0.0)
    return z, np.abs(u) / p.diagonal(), scale
