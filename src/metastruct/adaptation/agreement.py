"""Does a member agree with what training says of it: how well a code explains it, how probable its code is?

Whitened residuals u of n observations, p of whose degrees of freedom the code took, have the variances

    v(a) = c + (1 - c) a,    c the share of the observations' noise,   a ~ m w / chi^2_m of each member,

a being the variance of what no code explains of this member, relative to that of the training members. It is much like
theirs where the code lies between theirs, and of any size outside of their hull (`hull`), so m and w follow from the
distance to that. Misfits of neighbours are alike, and count as `INDEPENDENT` at most. So a is estimated by

    a = (m w + k a_ML) / (m + k),     k = min(sum ((1 - c) a / v)^2, INDEPENDENT) (n - p)/n,

with m + k degrees of freedom. The p-value is that of chi^2 = sum u^2 / v(a), averaged over the law of a up to misfits
of the size `FAMILY`. The code's is that of its distance d from the hull of the training codes, beside those d_k that
training codes have from the hull of the others,

    P(d) = (share of d_k > 0) exp(-d / mean of these)   (peaks over a threshold, Pickands 1975).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import special, stats
from scipy.optimize import nnls
from torch import Tensor

if TYPE_CHECKING:
    from metastruct.adaptation.adaptation import Prior
    from metastruct.adaptation.jacobian import Residual

INDEPENDENT = 6.0  # misfits of one member, at most
# Freedom of a misfit's t, at most, and the square of its scale over its mean square, for tails add to that; then of a
# base that erred by the noise that it was trained on. Chosen on members that evaluate nothing (`scripts/coverage.py`).
(FREEDOM, CORE), NORMAL = (4.0, 0.63), (8.0, 0.9)
OF_CODE = 0.55  # share of what misfit makes of the code that does not cancel it, chosen there with two observations
BETWEEN, OUTSIDE = (3.0, 0.7), (1.0, 1.0)  # m and w of codes between those of training, and outside of them
TAUGHT = (6.0, 1.0), (5.0, 1.0)  # the same of a base that was trained on noise, whose errors are alike everywhere
WIDTH = 0.25  # distance from them over which w doubles, in standard deviations of the training codes
FAMILY = 0.03  # of the spread of dx/dt: a larger misfit, and three times that of training, is none of the family
DROWNED = 0.5  # of the spread of the states: noise of such a size leaves nothing to see of a member
ALARM = 0.01  # p-value of the residual below which a member is none of the family
REMOTE = 0.02  # p-value of the code below which it is far from those of training
SMALLEST, ROUNDS = 1e-10, 20  # misfit, and rounds of its estimate
HULL = 1e-3  # distance up to which a code is between those of training
JUDGED = 200  # training codes, at most, of which it is asked how far they are from the others
STRICT = 1e3  # how much the sum of the weights of a hull counts

STRANGE = (
    "the observations are not explained: either single ones are wrong (adapt without them: --outliers 6, or "
    "Family.without_outliers(6)), or this member is not of the family, or its units are others, or its noise is larger "
    "than said; its error bars are wider for that"
)
FAR = "the code is outside of those of training: the member is extrapolated, and its error bars may be too narrow"


@dataclass(frozen=True)
class Agreement:
    """How each of some members agrees with the training members.

    Args:
        scale: a, variance of what no code explains relative to that of training members, `[tasks]`.
        inflation: what the variances of the whitened residuals are on average, `[tasks]`.
        freedom: degrees of freedom of an error that is made of misfit, `[tasks]`.
        core: square of the scale of its t, relative to its mean square, `[tasks]`.
        share: of it in the variance of the residuals, `[tasks]`.
        p_value: of the residual under what is said of noise and misfit, `[tasks]`.
        code_p_value: of the code among the training codes, `[tasks]`.
    """

    scale: Tensor
    inflation: Tensor
    freedom: Tensor
    core: Tensor
    share: Tensor
    p_value: Tensor
    code_p_value: Tensor

    def of(self, tasks: slice | Tensor) -> Agreement:
        """That of some members."""
        return Agreement(*(getattr(self, field.name)[tasks] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[Agreement]) -> Agreement:
        """Of members one after another."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    @property
    def strange(self) -> Tensor:
        """Whose residual is too large `[tasks]`: it is none of the family, or its noise is larger than said."""
        return self.p_value < ALARM

    @property
    def remote(self) -> Tensor:
        """Whose code is far from those of training `[tasks]`."""
        return self.code_p_value < REMOTE

    @property
    def flags(self) -> dict[str, Tensor]:
        """What there is to say, and of whom `[tasks]`."""
        return {STRANGE: self.strange, FAR: self.remote}

    @property
    def flagged(self) -> Tensor:
        """Which tasks are not like the training tasks, `[tasks]`."""
        return self.strange | self.remote


def agreement(residual: Residual, values: Tensor, codes: Tensor, covariance: Tensor, prior: Prior) -> Agreement:
    """Of residuals `[tasks, residuals]` at codes with the posterior `[tasks, code, code]` of a = 1."""
    observations, objective, training = residual.observations, residual.objective, prior.before or prior
    u = _plain((values * prior.weight(values)).square())
    valid = np.ones_like(u)
    if observations.mask is not None:
        valid = _plain(values != 0).astype(u.dtype)  # a residual that is masked is zero
    if residual.weights is not None:
        valid = valid * _plain(residual.weights.square())
    noise = _plain(objective.noise_share(observations, values))
    n = valid.sum(-1).clip(min=1.0)
    parameters = _plain((codes.shape[-1] - (covariance * prior.precision).sum((-2, -1))).clamp_min(0.0))
    left = (n - parameters).clip(min=0.0)
    u = np.where(np.isfinite(u), u, np.finfo(u.dtype).max ** 0.25) * (n / left.clip(min=0.5))[:, None]
    scale = ((u * valid).sum(-1) / n).clip(min=1.0)
    outside = hull(codes, training)
    normal = bool(np.any(objective.level("noise", observations.states.shape[-1])))
    before, expected = _law(outside, normal)
    misfit = 1 - noise
    gap = (u - noise) / misfit.clip(min=1e-12)
    for _ in range(ROUNDS):
        weight = valid * (misfit / (noise + misfit * scale[:, None])) ** 2
        total = weight.sum(-1)
        trust = (total * scale**2).clip(max=INDEPENDENT) * left / n
        raw = np.where(total > 0, (weight * gap).sum(-1) / total.clip(min=1e-30), 1.0).clip(min=0.0)
        share = np.sqrt(total / n) * scale
        last, scale = scale, (before * expected + trust * raw) / (before + trust)
        if np.array_equal(scale, last):  # and so it would be in all rounds that are left
            break
    variance = noise + misfit * scale[:, None]
    p_value = _p_value(u, valid, noise, left, before, expected, float(training.misfit.mean()))
    if observations.noise is not None:
        level = (observations.noise / residual.model.dynamics.state_std).amax((-2, -1))
        p_value = np.where(_plain(level) > DROWNED, 0.0, p_value)
    excess = np.where(p_value < ALARM, (valid * u / variance).sum(-1) / n, 1.0).clip(min=1.0)
    alike = 1 - float(training.misfit.sum() / training.field_noise.sum().clamp_min(1e-300))
    freedom, (most, core) = before + trust, NORMAL if normal else (FREEDOM, CORE)
    parts = (
        (alike + (1 - alike) * scale) * excess,
        excess * n / (valid / variance).sum(-1),
        alike * FREEDOM + (1 - alike) * freedom.clip(max=most),
        np.full_like(freedom, core),
        share,
        p_value,
        _code_p_value(outside, training),
    )
    return Agreement(*(torch.as_tensor(part).to(codes) for part in parts))


def _law(distance: np.ndarray, normal: bool) -> tuple[np.ndarray, np.ndarray]:
    """m and w `[tasks]` of the scale, by the distance of codes from the hull of those of training.

    Measured on 400 pendulums of which a model with s = 2e-5 was not trained: root mean square errors over s lie from
    0.5 to 1.4 (5 and 95 %) between the training codes, and from 1.2 to 340 half a standard deviation outside. After a
    training with 5 % of noise (normal), of s = 2 to 5e-3, on 300 pendulums and 300 springs of other members than those
    that are evaluated: from 0.5 to 1.5 between them, and from 0.7 to 2.5 there.
    """
    laws = TAUGHT if normal else (BETWEEN, OUTSIDE)
    freedom, expected = (np.where(distance > HULL, out, between) for between, out in zip(*laws, strict=True))
    growth = distance / WIDTH if normal else (distance / WIDTH) ** 2
    return freedom, expected + growth


def hull(codes: Tensor, prior: Prior) -> np.ndarray:
    """Distance of codes from the convex hull of the training codes, in standard deviations of C, `[tasks]`.

    It is that of a non-negative least-squares fit with weights of sum one.
    """
    root = torch.linalg.cholesky(prior.precision)
    places, corners = (_plain((part - prior.mean) @ root) for part in (codes, prior.codes))
    matrix = np.concatenate([corners.T, np.full((1, len(corners)), STRICT)])
    distances = []
    for place in places:
        if not np.isfinite(place).all():
            distances.append(np.inf)
            continue
        weights, _ = nnls(matrix, np.append(place, STRICT), maxiter=30 * len(corners))
        distances.append(float(np.linalg.norm(weights @ corners - place)))
    return np.array(distances)


def _code_p_value(distances: np.ndarray, training: Prior) -> np.ndarray:
    """P(d) `[tasks]`; one where there are too few training codes to tell."""
    if len(training.codes) <= training.codes.shape[-1] + 1:
        return np.ones(len(distances))
    usual = training.outlying
    out = usual[usual > HULL]
    if not len(out):
        return np.ones(len(distances))
    return np.where(distances > HULL, len(out) / len(usual) * np.exp(-distances / out.mean()), 1.0)


def left_out(prior: Prior) -> np.ndarray:
    """Distance of training codes from the hull of the others, of the first `JUDGED` of them, `[tasks]`."""
    codes, number = prior.codes, torch.arange(len(prior.codes))
    each = (replace(prior, codes=codes[number != k]) for k in range(min(len(codes), JUDGED)))
    return np.concatenate([hull(codes[k : k + 1], rest) for k, rest in enumerate(each)])


def _p_value(
    u: np.ndarray,
    valid: np.ndarray,
    noise: np.ndarray,
    left: np.ndarray,
    before: np.ndarray,
    expected: np.ndarray,
    misfit: float,
) -> np.ndarray:
    """P(chi^2 is as large), averaged over the law of a, `[tasks]`; one where the code took all degrees of freedom."""
    top = max(9.0, FAMILY**2 / max(misfit, SMALLEST))
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-3, np.ceil(np.log2(top)) + 1)])
    quantiles = before[:, None] * expected[:, None] / np.maximum(edges, 1e-30)
    masses = np.diff(special.chdtrc(before[:, None], quantiles), axis=1)
    masses /= masses.sum(1, keepdims=True).clip(min=1e-300)
    total, count = np.zeros(len(u)), valid.sum(-1).clip(min=1)
    plain, silent = valid * u, valid * noise
    for a, part in zip(np.sqrt(np.maximum(edges[:-1], edges[1] / 4) * edges[1:]), masses.T, strict=True):
        weight = 1 / (noise + (1 - noise) * a)
        chi = np.einsum("tn,tn->t", plain, weight) / count
        of_noise = np.einsum("tn,tn->t", silent, weight) / count
        spread = of_noise**2 / np.maximum(left, 1e-9) + (1 - of_noise) ** 2 / np.clip(left, 1e-9, INDEPENDENT)
        total += part * special.chdtrc(1 / spread, chi / spread)
    return np.where(left < 0.5, 1.0, total)


def gaussian(level: float) -> float:
    """Half the width of a bar that holds the share `level`, in standard deviations of a Gaussian."""
    return float(stats.norm.ppf((1 + level) / 2))


def reach(level: float, freedom: Tensor) -> Tensor:
    """Half the width of a bar that holds the share `level`, in units of a scale of so much `freedom`, `[tasks]`."""
    return torch.as_tensor(stats.t.ppf((1 + level) / 2, _plain(freedom))).to(freedom)


def _plain(values: Tensor) -> np.ndarray:
    """For numpy and scipy, from whatever device."""
    array: np.ndarray = values.detach().cpu().numpy()
    return array
