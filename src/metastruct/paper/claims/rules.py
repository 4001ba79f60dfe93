"""The rules by which comparisons decide a claim (docs/verdicts.md): 95 % intervals, and tests that err in 5 % of cases.

average: the interval of the pooled ratio lies beyond the stated ratio (held) or falls short of it (not held).

everywhere, for `best` (no rival is better) and `always` (one setting beats the other wherever both were tried): not
held where a counterexample stays significant after Holm's correction over all comparisons and their groups; held where
the pooled ratio is below one, the chance that any comparison is above the margin is small and none alone speaks against
it; not held too where the pooled gain is no difference that counts.

No difference: two one-sided tests (Schuirmann 1987) against the margin. Where a difference in the other direction would
speak for the same verdict only one of the two is made: `everywhere` of the pooled gain, `brings_nothing` of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from metastruct.evaluation.effects import Effects, Estimate, holm

HELD, NOT_HELD, UNDECIDED = "held", "not held", "undecided"
MARGIN = float(np.log(1.1))  # errors that differ by less than this factor count as equal
CHANCE = 0.05
SEEDS, TASKS, DRAWS, POWER = (3, 5, 7, 10, 14, 20, 28, 40, 56, 80, 160), 40, 20, 0.8
Rule = Callable[[Effects], str]


def average(effects: Effects, limit: float = -MARGIN) -> str:
    """Is the pooled log ratio below a stated one?"""
    return HELD if effects.pooled.high < limit else NOT_HELD if effects.pooled.low > limit else UNDECIDED


def everywhere(effects: Effects) -> str:
    """Is the first the lower one in all comparisons?"""
    if counterexamples(effects):
        return NOT_HELD
    alone = any(one.tail(0.0) < 2 * CHANCE and one.high > MARGIN for one in effects.estimates)
    if effects.pooled.high < 0 and effects.beyond(MARGIN).sum() < CHANCE and not alone:
        return HELD
    return NOT_HELD if effects.pooled.tail(-MARGIN) < CHANCE else UNDECIDED  # no difference that counts, or a worse one


def costs_more(effects: Effects) -> str:
    """Is every ratio below one by more than the margin?"""
    if counterexamples(effects, -MARGIN) or effects.pooled.tail(-MARGIN) < CHANCE:
        return NOT_HELD
    return HELD if none_above(effects, -MARGIN) else UNDECIDED


def brings_nothing(effects: Effects) -> str:
    """Is no ratio above one by more than the margin?"""
    if counterexamples(effects, MARGIN):
        return NOT_HELD
    return HELD if none_above(effects) else UNDECIDED


def none_above(effects: Effects, limit: float = MARGIN) -> bool:
    """Does every comparison, given all of them, lie below a limit?"""
    return bool((effects.beyond(limit) < CHANCE).all())


def counterexamples(effects: Effects, limit: float = 0.0) -> list[str]:
    """The comparisons and groups above a limit after Holm's correction (Holm 1979)."""
    named = [*zip(effects.labels, effects.estimates, strict=True), *effects.of_groups.items()]
    pairs = sorted((one.tail(limit), name) for name, one in named)
    corrected = holm(np.array([chance for chance, _ in pairs]))
    return [name for (_, name), chance in zip(pairs, corrected, strict=True) if chance <= CHANCE]


def together(verdicts: Iterable[str]) -> str:
    """One verdict on parts that must all hold."""
    parts = {*verdicts}
    return NOT_HELD if NOT_HELD in parts else HELD if parts == {HELD} else UNDECIDED


def deciding(effects: Effects, rule: Rule) -> int | None:
    """The fewest seeds, each with 40 test tasks of its own, that decide in 80 % of cases if the truth is as estimated.

    More than there are, which did not. None where even the most that were tried do not.
    """
    rng, there = np.random.default_rng(0), max(one.seeds * one.tasks for one in effects.estimates)
    for seeds in SEEDS:
        if seeds * TASKS <= there:
            continue
        verdicts = [rule(_drawn(effects, seeds, rng)) for _ in range(DRAWS)]
        if verdicts.count(UNDECIDED) <= (1 - POWER) * DRAWS:
            return seeds
    return None


def _drawn(effects: Effects, seeds: int, rng: np.random.Generator) -> Effects:
    def again(one: Estimate, centre: float) -> Estimate:
        of_seeds, rest = one.components
        variance = max((of_seeds + rest / TASKS) / seeds, 1e-9)
        freedom = one.freedom * max(seeds - 1, 1) / max(one.seeds - 1, 1)
        mean = centre + float(rng.normal()) * variance**0.5
        return Estimate(mean, variance, freedom, one.components, seeds, TASKS)

    single = tuple(again(one, mean) for one, mean in zip(effects.estimates, effects.shrunk, strict=True))
    groups = {name: again(one, one.mean) for name, one in effects.of_groups.items()}
    return replace(effects, estimates=single, of_groups=groups, freedom=max(seeds - 1, 1))
