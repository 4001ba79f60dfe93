"""Test functions of the weak form, and its integrals by quadrature on samples at any instants.

    phi(t) = (1 - tau^2)^p,   tau = (2t - a - b)/(b - a),   inside of [a, b]

    int phi f dt + int phi' x dt  ~  Phi f + Phi' x

with the trapezoidal rule and its first correction (Euler and Maclaurin),

    int g dt ~ sum_i (h_{i-1} + h_i)/2 g_i + sum_i (h_i^2 - h_{i-1}^2)/12 g'_i,   g = phi f + phi' x,

in which g' = 2 phi' f + phi'' x + phi f', and f' comes from differences. The correction vanishes where the instants are
equally spaced, where the rule alone is of order p; elsewhere it raises the order from two to four.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

EVEN = 1e-10  # share of two intervals by which they differ at most where instants are equally spaced


def weights(times: Tensor, begin: Tensor, end: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """Phi and Phi' `[..., tests, instants]`, made of these instants.

    Args:
        times: `[..., instants]`; equal ones at the end weigh nothing.
        begin, end: a and b `[..., tests]`, instants both.
        order: p.
    """
    phi, slope, bend = shapes(times, begin, end, order)
    h = times.diff(dim=-1)
    before, after = pad(h, (1, 0))[..., None, :], pad(h, (0, 1))[..., None, :]
    width = (before + after) / 2
    even = not h.is_meta and bool((h.diff(dim=-1).abs() <= EVEN * (h[..., 1:] + h[..., :-1])).all())
    if even:  # and phi vanishes at the first instant and at the last
        return width * phi, width * slope
    correction = (after - before) * (after + before) / 12
    values = width * phi + 2 * correction * slope + _by_difference(correction * phi, before, after)
    return values, width * slope + correction * bend


def shapes(times: Tensor, begin: Tensor, end: Tensor, order: int) -> tuple[Tensor, Tensor, Tensor]:
    """phi, phi' and phi'' `[..., tests, instants]`."""
    begin, end, times = begin[..., None], end[..., None], times[..., None, :]
    rate = torch.where(end > begin, 2 / torch.where(end > begin, end - begin, 1.0), 0.0)
    tau = ((times - begin) - (end - times)) * rate / 2
    inside = torch.where(end > begin, (1 - tau.square()).clamp_min(0), 0.0)
    power = _power(inside, order - 2)
    slope = -2 * order * tau * power * inside * rate
    bend = 2 * order * power * ((2 * order - 2) * tau.square() - inside) * rate.square()
    return power * inside.square(), slope, bend


def _power(base: Tensor, exponent: int) -> Tensor:
    """base^exponent for an exponent of at least one, by squares: products take a quarter of the time of a power."""
    if exponent == 1:
        return base
    root = _power(base, exponent // 2).square()
    return root * base if exponent % 2 else root


def _by_difference(factors: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """The weights of f_i in sum_i factor_i f'_i, with f' from three neighbours, of second order."""
    inner = (before > 0) & (after > 0)
    one = torch.ones_like(before)
    left, right = torch.where(inner, before, one), torch.where(inner, after, one)
    factors = torch.where(inner, factors, 0.0)
    to_left = -right / (left * (left + right)) * factors
    to_right = left / (right * (left + right)) * factors
    centre = (right - left) / (left * right) * factors
    return centre + pad(to_left[..., 1:], (0, 1)) + pad(to_right[..., :-1], (1, 0))
