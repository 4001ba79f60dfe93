"""What a code means: labels of the training members as functions of their codes, and what they say of a new one.

    y = a + w . phi(z) + e,   phi of degree one or two in the whitened codes,   e of standard deviation s

Ridge regression whose degree and weight have the least error of members that are left out, one at a time, which has a
closed form: e_i / (1 - h_ii). R^2 is that of members whom neither the fit nor that choice has seen. The label of a new
member has the variance s^2 (1 + h) + g^T Sigma g, Sigma being the posterior's covariance of its code and g = dy/dz.

Source: Alain and Bengio (2016), Understanding intermediate layers using linear classifier probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

Array = np.ndarray
WEIGHTS = tuple(10.0**power for power in range(-8, 2))  # of the ridge, by the number of members
FOLDS = 10
FEWEST = 5  # members


class Estimate(NamedTuple):
    """A label of a member, with the standard deviation of its error."""

    value: float
    std: float


@dataclass(frozen=True)
class Basis:
    """Functions of codes: their principal components of spread one, and the products of pairs of those.

    Args:
        centre: mean of the codes `[code]`.
        axes: `[code, components]`, to components of spread one.
        degree: 1 or 2.
    """

    centre: Array
    axes: Array
    degree: int

    @classmethod
    def of(cls, codes: Array, degree: int) -> Basis:
        """Without directions in which the codes do not move."""
        centre = codes.mean(0)
        _, spread, axes = np.linalg.svd(codes - centre, full_matrices=False)
        kept = spread > 1e-9 * spread.max(initial=0.0)
        return cls(centre, axes[kept].T / spread[kept] * np.sqrt(len(codes)), degree)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Components whose products are the terms of degree two; none of degree one."""
        return [*combinations_with_replacement(range(self.axes.shape[1]), 2)] if self.degree == 2 else []

    def __call__(self, codes: Array) -> Array:
        """`[members, functions]`."""
        parts = (codes - self.centre) @ self.axes
        return np.concatenate([parts, *(parts[:, [i]] * parts[:, [j]] for i, j in self.pairs)], axis=1)

    def slopes(self, code: Array) -> Array:
        """By the code, `[functions, code]`."""
        parts = (code - self.centre) @ self.axes
        rows = [parts[i] * self.axes[:, j] + parts[j] * self.axes[:, i] for i, j in self.pairs]
        return np.concatenate([self.axes.T, np.array(rows).reshape(-1, len(code))])


@dataclass(frozen=True)
class Probe:
    """A label as a function of the code.

    Attributes:
        r2: R^2 of members that were left out, at most 1; NaN where the label never varies.
        left_out: the label of each training member, predicted by a fit without it `[members]`.
        degree: of the function, 1 or 2.
    """

    basis: Basis
    mean: Array  # of the functions
    offset: float
    slope: Array
    inverse: Array  # of their regularised scatter
    variance: float
    count: int
    left_out: Array
    r2: float = float("nan")

    @property
    def degree(self) -> int:
        """Of the polynomial, one or two."""
        return self.basis.degree

    @classmethod
    def of(cls, codes: Array, values: Array) -> Probe:
        """From codes `[members, code]` and the label of each `[members]`.

        Raises:
            ValueError: there are too few members.
        """
        if len(codes) < FEWEST:
            raise ValueError(f"labels need at least {FEWEST} training members that have them, got {len(codes)}")
        folds = np.array_split(np.random.default_rng(0).permutation(len(codes)), min(FOLDS, len(codes)))
        apart = np.empty(len(codes))
        for fold in folds:
            rest = np.setdiff1d(np.arange(len(codes)), fold)
            apart[fold] = _best(codes[rest], values[rest]).values(codes[fold])
        total = np.square(values - values.mean()).sum()
        r2 = 1 - np.square(values - apart).sum() / total if total > 0 else float("nan")
        best = _best(codes, values)
        return cls(**{name: getattr(best, name) for name in best.__dataclass_fields__ if name != "r2"}, r2=float(r2))

    def values(self, codes: Array) -> Array:
        """The label at codes `[members, code]`, `[members]`."""
        return np.asarray(self.offset + (self.basis(codes) - self.mean) @ self.slope)

    def estimate(self, code: Array, covariance: Array | None = None) -> Estimate:
        """Of one code `[code]`, with that of its posterior `[code, code]` where there is one."""
        part = (self.basis(code[None]) - self.mean)[0]
        variance = self.variance * (1 + 1 / self.count + part @ self.inverse @ part)
        if covariance is not None:
            slope = self.slope @ self.basis.slopes(code)
            variance += slope @ covariance @ slope
        return Estimate(float(self.values(code[None])[0]), float(np.sqrt(variance)))


def probes(names: Sequence[str], values: Array, codes: Array) -> dict[str, Probe]:
    """Of labels of these names, `[members, label]`, by the codes `[members, code]` of members that have them.

    Raises:
        ValueError: there are too few members, or no code for each.
    """
    if len(codes) != len(values):
        raise ValueError(f"labels need a code for each of {len(values)} training members, got {len(codes)}")
    columns = zip(names, values.T, strict=True)
    return {name: Probe.of(codes[rows := np.isfinite(column)], column[rows]) for name, column in columns}


def _best(codes: Array, values: Array) -> Probe:
    """That of the degree and the weight with the least error of members that are left out."""
    several = []
    for degree in (1, 2):
        basis = Basis.of(codes, degree)
        several += [_fitted(basis, codes, values, weight * len(codes)) for weight in WEIGHTS]
    return min(several, key=lambda probe: float(np.square(probe.left_out - values).sum()))


def _fitted(basis: Basis, codes: Array, values: Array, weight: float) -> Probe:
    functions = basis(codes)
    mean, offset, count = functions.mean(0), values.mean(), len(codes)
    centred = functions - mean
    inverse = np.linalg.inv(centred.T @ centred + weight * np.eye(centred.shape[1]))
    leverage = 1 / count + np.einsum("nk,kl,nl->n", centred, inverse, centred)
    slope = inverse @ (centred.T @ (values - offset))
    apart = (values - offset - centred @ slope) / np.maximum(1 - leverage, 1e-6)
    variance = float((np.square(apart) / (1 + leverage)).mean())
    return Probe(basis, mean, float(offset), slope, inverse, variance, count, values - apart)
