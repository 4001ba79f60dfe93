"""Effects of settings on errors: log ratios, paired by seed and by task, and what several of them say together.

Both settings were measured on the same test tasks: for every shared seed s and task k there is a difference

    d[s, k] = log error of the one - log error of the other = m + a[s] + b[k] + rest,

and m has the variance (MS_seeds + MS_tasks - MS_rest) / (S K), with Satterthwaite's degrees of freedom; where the draw
of members moves with the seed, b is part of the rest and the same formula stays unbiased. Variances of few seeds are
noisy, so those of one kind are moderated (Smyth 2004). The comparisons of a claim are a sample of a population, m_j ~
N(M, tau^2) with tau half-normal, half of tau^2 in common to a group, measured with errors that correlate in groups; the
posterior of each m_j shrinks where comparisons agree. scripts/planted.py measures the coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import brentq
from scipy.special import digamma, ndtr, ndtri, polygamma, stdtr, stdtrit

LEVEL = 0.95
SIDE = (1 - LEVEL) / 2  # the chance of an error on one side
SPREADS = np.linspace(0.01, 4.0, 200)  # tau
PRIOR = 1.0  # scale of the half-normal prior of tau: comparisons may well differ by a factor of e
SMALLEST = 1e-12  # an error of zero has no logarithm


@dataclass(frozen=True)
class Estimate:
    """A logarithm of a ratio.

    Args:
        variance: of the mean.
        freedom: degrees of freedom of the variance.
        components: of the variance of one difference: seeds, tasks and rest together.
    """

    mean: float
    variance: float
    freedom: float
    components: tuple[float, float] = (0.0, 0.0)
    seeds: int = 0
    tasks: int = 0

    @classmethod
    def of(cls, differences: np.ndarray) -> Estimate:
        """From differences of logarithms `[seeds, tasks]`; of one seed the spread over tasks alone."""
        seeds, tasks = differences.shape
        mean = differences.mean()
        by_seed, by_task = differences.mean(1) - mean, differences.mean(0) - mean
        rest = differences - mean - by_seed[:, None] - by_task
        freedom = np.array([max(seeds - 1, 1), max(tasks - 1, 1), max((seeds - 1) * (tasks - 1), 1)])
        squares = np.array([tasks * (by_seed**2).sum(), seeds * (by_task**2).sum(), (rest**2).sum()]) / freedom
        total = max(squares[0] + squares[1] - squares[2], squares[0], squares[1], SMALLEST)
        of_seeds = max(squares[0] - squares[2], 0.0) / tasks
        of_rest = max(squares[1] - squares[2], 0.0) / seeds + squares[2]
        satterthwaite = total**2 / max((squares**2 / freedom).sum(), SMALLEST**2)
        size = seeds * tasks
        return cls(float(mean), total / size, max(satterthwaite, freedom[0 if seeds > 1 else 1]),
                   (of_seeds, of_rest), seeds, tasks)  # fmt: skip

    def tail(self, limit: float) -> float:
        """The chance of what was seen, or more, if the truth were at most the limit."""
        return float(stdtr(self.freedom, (limit - self.mean) / np.sqrt(self.variance)))

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.mean - float(stdtrit(self.freedom, 1 - SIDE)) * float(np.sqrt(self.variance))

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return 2 * self.mean - self.low

    def __str__(self) -> str:
        value, low, high = np.exp([self.mean, self.low, self.high])
        return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def moderated(estimates: Sequence[Estimate], kinds: Sequence[str] | None = None) -> list[Estimate]:
    """The same means, with variances that learn from those of their kind (Smyth 2004, equations 6 to 9)."""
    variances, freedom = np.array([[one.variance, one.freedom] for one in estimates]).reshape(-1, 2).T
    names, kind = np.unique(kinds or [""] * len(estimates), return_inverse=True)
    if len(estimates) < 2 + len(names):
        return [*estimates]
    scatter = np.log(variances) - digamma(freedom / 2) + np.log(freedom / 2)
    centre = (np.bincount(kind, scatter) / np.bincount(kind))[kind]
    excess = ((scatter - centre) ** 2).sum() / (len(estimates) - len(names)) - polygamma(1, freedom / 2).mean()
    prior = 2 * brentq(lambda half: polygamma(1, half) - excess, 1e-3, 1e6) if excess > 1e-5 else 1e6
    usual = np.exp(centre + digamma(prior / 2) - np.log(prior / 2))
    shrunk = (prior * usual + freedom * variances) / (prior + freedom)
    total = np.minimum(prior + freedom, np.bincount(kind, freedom)[kind])
    return [
        replace(one, variance=float(variance), freedom=float(count))
        for one, variance, count in zip(estimates, shrunk, total, strict=True)
    ]


@dataclass(frozen=True)
class Effects:
    """The comparisons of a claim and their population.

    Args:
        labels: of the comparisons.
        estimates: of their log ratios, moderated.
        groups: comparisons of one group share trainings, or say something together.
        correlations: of the errors of two estimates of one group, and of two groups.
        of_groups: the estimate of each group that has several comparisons.
        overlap: variance of the mean as its seeds and tasks have it, over that of this model.
        freedom: of the variance of the mean.
    """

    labels: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    groups: tuple[str, ...]
    correlations: tuple[float, float] = (0.0, 0.0)
    of_groups: dict[str, Estimate] = field(default_factory=dict)
    overlap: float = 1.0
    freedom: float = np.inf

    @classmethod
    def of(cls, labels: Sequence[str], arrays: Sequence[np.ndarray], groups: Sequence[str],
           kinds: Sequence[str] | None = None) -> Effects:  # fmt: skip
        """From the differences `[seeds, tasks]` of each; those of a kind vary about as much."""
        single, shared = moderated([Estimate.of(array) for array in arrays], kinds), np.stack(_cut(arrays))
        members = {name: [array for array, group in zip(shared, groups, strict=True) if group == name]
                   for name in dict.fromkeys(groups)}  # fmt: skip
        several = {name: np.mean(group, axis=0) for name, group in members.items() if len(group) > 1}
        means = moderated([Estimate.of(array) for array in several.values()])
        of_groups = dict(zip(several, means, strict=True))
        effects = cls(tuple(labels), tuple(single), tuple(groups), correlated(shared, groups), of_groups)
        whole = Estimate.of(np.tensordot(effects.weights, shared, 1))
        return replace(effects, overlap=whole.variance / effects.modelled, freedom=whole.freedom)

    @cached_property
    def means(self) -> np.ndarray:
        """Of each comparison."""
        return np.array([one.mean for one in self.estimates])

    @property
    def _same(self) -> np.ndarray:
        """Are two comparisons of one group?"""
        return np.equal.outer(*[np.unique(self.groups, return_inverse=True)[1]] * 2)

    @cached_property
    def covariance(self) -> np.ndarray:
        """Of the means; widened as Student's interval is against the normal one."""
        variances, freedom = np.array([[one.variance, one.freedom] for one in self.estimates]).T
        deviation = np.sqrt(variances) * stdtrit(freedom, 1 - SIDE) / ndtri(1 - SIDE)
        matrix = np.where(self._same, *self.correlations)
        np.fill_diagonal(matrix, 1)
        return np.asarray(matrix * np.outer(deviation, deviation))

    @cached_property
    def population(self) -> tuple[np.ndarray, ...]:
        """For each tau: its posterior chance, the weights of the mean, and mean and deviation of each log ratio."""
        values, vectors = eigh(self.covariance, likeness := (self._same + np.eye(len(self.labels))) / 2)
        values, back = values.clip(SMALLEST), likeness @ vectors
        means, ones = vectors.T @ self.means, vectors.sum(0)
        precision = 1 / (values + SPREADS[:, None] ** 2)
        sums = precision @ ones**2
        centre = precision @ (ones * means) / sums
        rest = means - centre[:, None] * ones
        fit = (np.log(precision).sum(1) - np.log(sums) - (precision * rest**2).sum(1) - (SPREADS / PRIOR) ** 2) / 2
        chances = np.exp(fit - fit.max())
        kept = values * precision
        variance = self.covariance.diagonal() - (values * kept) @ back.T**2
        of_centre = ((kept * ones) @ back.T) ** 2 / sums[:, None] * max(self.overlap, 1.0)
        deviation = np.sqrt((variance + of_centre).clip(SMALLEST))
        weights = ((precision * ones) @ vectors.T).clip(0)
        return chances / chances.sum(), weights, self.means - (kept * rest) @ back.T, deviation

    @cached_property
    def weights(self) -> np.ndarray:
        """Of the comparisons in their mean."""
        chances, weights, *_ = self.population
        return np.asarray(chances @ (weights / weights.sum(1, keepdims=True)))

    @property
    def modelled(self) -> float:
        """The variance of the mean if the correlations are right."""
        return float(self.weights @ self.covariance @ self.weights)

    @cached_property
    def pooled(self) -> Estimate:
        """The mean of the comparisons of this claim, for other seeds and tasks."""
        seeds, tasks = (min(getattr(one, name) for one in self.estimates) for name in ("seeds", "tasks"))
        variance = self.overlap * self.modelled
        return Estimate(float(self.weights @ self.means), variance, self.freedom, seeds=seeds, tasks=tasks)

    @property
    def shrunk(self) -> np.ndarray:
        """The log ratio of each comparison, given all of them."""
        return np.asarray(self.population[0] @ self.population[2])

    def beyond(self, limit: float) -> np.ndarray:
        """The chance that the log ratio of each comparison lies above a limit, given all of them."""
        chances, _, mean, deviation = self.population
        return np.asarray(chances @ ndtr((mean - limit) / deviation))


def holm(chances: np.ndarray) -> np.ndarray:
    """p-values `[tests]` after the correction of Holm (1979) for their number."""
    order, count = np.argsort(chances, kind="stable"), len(chances)
    adjusted = np.maximum.accumulate(chances[order] * (count - np.arange(count))).clip(max=1.0)
    return np.asarray(adjusted[np.argsort(order, kind="stable")])


def correlated(arrays: np.ndarray, groups: Sequence[str]) -> tuple[float, float]:
    """Mean correlation over seeds of the means `[comparisons, seeds, tasks]` of one group, and of different groups."""
    rest = arrays.mean(-1) - arrays.mean((-1, -2))[:, None]
    scaled = rest / np.sqrt((rest**2).sum(1, keepdims=True)).clip(SMALLEST)
    matrix = scaled @ scaled.T if arrays.shape[1] > 2 else np.eye(len(arrays))
    same = np.equal.outer(*[np.unique(groups, return_inverse=True)[1]] * 2)
    pairs = ~np.eye(len(arrays), dtype=bool)
    within, between = (float(matrix[part].mean()) if part.any() else 0.0 for part in (same & pairs, ~same))
    between = min(max(between, 0.0), 0.95)
    return min(max(within, between), 0.95), between


def _cut(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """To the seeds and tasks that all have."""
    seeds, tasks = (min(array.shape[axis] for array in arrays) for axis in (0, 1))
    return [array[:seeds, :tasks] for array in arrays]
