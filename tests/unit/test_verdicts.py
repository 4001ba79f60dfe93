"""The rules of verdicts on effects that were made up for them, and on tables whose truth is known."""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import pytest

from metastruct.config.facts import CONF
from metastruct.evaluation.effects import Effects
from metastruct.paper.claims.rules import (
    HELD,
    NOT_HELD,
    UNDECIDED,
    average,
    brings_nothing,
    costs_more,
    counterexamples,
    deciding,
    everywhere,
    together,
)

sys.path.append(str(CONF.parent / "scripts"))
import planted
from variances import Spread


def effects(ratios, scale=0.05, seeds=6, tasks=10, seed=0, groups=None):
    """Comparisons with these true ratios, and noise of seeds and tasks."""
    rng = np.random.default_rng(seed)
    noise = (scale * (rng.normal(size=(seeds, 1)) + rng.normal(size=(seeds, tasks))) for _ in ratios)
    arrays = [np.log(ratio) + rest for ratio, rest in zip(ratios, noise, strict=True)]
    labels = [f"c{place}" for place in range(len(arrays))]
    return Effects.of(labels, arrays, groups or labels)


@pytest.mark.parametrize(("ratio", "expected"), [(0.25, HELD), (0.45, NOT_HELD), (0.35, UNDECIDED)])
def test_an_average_is_held_beyond_the_stated_ratio(ratio, expected):
    assert average(effects([ratio * factor for factor in (0.9, 1.0, 1.1)]), float(np.log(0.35))) == expected


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        ([0.7] * 8, HELD),
        ([0.7] * 7 + [0.99], HELD),  # hardly better there, but within the margin
        ([0.7] * 7 + [1.5], NOT_HELD),  # one counterexample
        ([1.0] * 8, NOT_HELD),  # no difference
        ([1.3] * 8, NOT_HELD),
    ],
)
def test_everywhere_asks_for_a_gain_and_no_counterexample(ratios, expected):
    assert everywhere(effects(ratios, 0.02)) == expected


def test_what_is_too_noisy_is_undecided_and_says_how_many_seeds_would_decide():
    noisy = effects([0.8] * 8, scale=0.8, seeds=3)
    assert everywhere(noisy) == UNDECIDED
    seeds = deciding(noisy, everywhere)
    assert seeds is None or seeds > 3
    clear = deciding(effects([0.5] * 8), everywhere)
    assert clear is not None
    assert clear <= 5
    for seeds, more in ((2, 3), (5, 7)):  # what is there did not decide, however clear it looks
        assert deciding(effects([0.5] * 8, seeds=seeds, tasks=40), everywhere) == more
    assert deciding(effects([0.35] * 8, 0.0001), partial(average, limit=float(np.log(0.35)))) is None


@pytest.mark.parametrize(
    ("ratio", "fewer", "more"), [(0.4, HELD, HELD), (1.0, NOT_HELD, HELD), (1.5, NOT_HELD, NOT_HELD)]
)
def test_a_drop_and_its_end_are_judged_by_the_margin(ratio, fewer, more):
    assert costs_more(effects([ratio] * 6, 0.02)) == fewer
    assert brings_nothing(effects([ratio] * 6, 0.02)) == more


def test_parts_must_all_hold():
    assert together([HELD, HELD]) == HELD
    assert together([HELD, UNDECIDED]) == UNDECIDED
    assert together([UNDECIDED, NOT_HELD]) == NOT_HELD


def test_noise_has_few_counterexamples_and_no_claim_is_held_from_it():
    """Of 100 tables of 20 comparisons of equal things; uncorrected tests find one in more than half of them."""
    found, uncorrected, verdicts = 0, 0, []
    for trial in range(100):
        noise = effects([1.0] * 20, scale=0.3, seeds=4, seed=trial)
        found += bool(counterexamples(noise))
        uncorrected += any(one.tail(0.0) < 0.05 for one in noise.estimates)
        verdicts += [everywhere(noise), average(noise), costs_more(noise)]
    assert found <= 10
    assert uncorrected > 50
    assert verdicts.count(HELD) <= 3


def test_a_group_of_comparisons_can_be_the_counterexample():
    weak = [1.12] * 6 + [0.7] * 6
    groups = ["rival"] * 6 + ["other"] * 6
    assert "rival" in counterexamples(effects(weak, 0.12, groups=groups))


def test_components_of_made_up_records_are_found_again():
    spread = Spread({("10", "a"): np.array([0.2, 0.3, 0.1]), ("10", "b"): np.array([0.1, 0.1, 0.4])}, np.full(3, 0.5))
    rng = np.random.default_rng(0)
    units = []
    for _ in range(60):
        one, other = spread.drawn(rng, 12, 20, False), spread.drawn(rng, 12, 20, False)
        units.append({piece: one[piece] - other[piece] for piece in one})
    again = Spread.of(units)
    for piece, variances in spread.variances.items():
        assert again.variances[piece] == pytest.approx(variances, rel=0.25)
    assert again.shared == pytest.approx(spread.shared, abs=0.15)


SMALL = Spread({(n, e): np.array([0.02, 0.05, 0.1]) for n in ("10", "300") for e in planted.ERRORS}, np.full(3, 0.5))
ONE = Spread({("300", error): np.array([0.005, 0.01, 0.02]) for error in planted.ERRORS}, np.full(3, 0.5))


@pytest.mark.parametrize("truth", planted.TRUTHS)
def test_planted_truths_are_found_where_little_varies(truth):
    claim, name, errors, right = planted.TRUTHS[truth]
    spread = SMALL if claim == "C6" else ONE
    made = (planted.made(name, errors, spread, np.random.default_rng(seed), (8, 20, True)) for seed in range(2))
    verdicts = [planted.judged(claim, results) for results in made]
    if right == planted.NEVER or "one comparison" in truth:
        assert HELD not in verdicts
    else:
        assert verdicts == [right] * 2
