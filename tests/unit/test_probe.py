"""What codes mean: labels that depend on the code are read from it with error bars that hold, others are not."""

from __future__ import annotations

import numpy as np
import pytest

from metastruct.evaluation.probe import FEWEST, Basis, Probe


def family(members: int, noise: float, square: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Codes of which two of four directions move, and a label that they determine but for noise."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(members, 2))
    labels = 3 + hidden @ [1.0, -0.5] + (0.8 * hidden[:, 0] * hidden[:, 1] if square else 0)
    return hidden @ np.array([[1e-3, 2e-3, 0, 0], [0, 5e-3, 1e-3, 0]]), labels + noise * rng.normal(size=members)


@pytest.mark.parametrize(("square", "degree"), [(False, 1), (True, 2)])
def test_a_label_that_codes_determine_is_read_from_them(square, degree):
    probe = Probe.of(*family(40, 1e-3, square))
    assert probe.r2 > 0.999
    assert probe.degree >= degree


def test_a_label_that_codes_know_nothing_of_is_not():
    codes, _ = family(40, 0.0, True)
    r2 = [Probe.of(codes, np.random.default_rng(seed).normal(size=40)).r2 for seed in range(10)]
    assert max(r2) < 0.4
    assert np.mean(r2) < 0


def test_a_label_that_never_varies_has_no_r2():
    probe = Probe.of(family(10, 0.0, False)[0], np.ones(10))
    assert np.isnan(probe.r2)
    assert probe.values(np.ones((1, 4))) == pytest.approx(1.0)


def test_error_bars_hold_the_labels_of_new_members_whose_codes_are_uncertain():
    covariance = np.diag([4e-8, 4e-7, 1e-8, 1e-30])
    inside = []
    for seed in range(20):
        codes, values = family(40, 0.05, False, seed)
        probe = Probe.of(codes, values)
        new, labels = family(40, 0.05, False, seed + 100)
        seen = new + np.random.default_rng(seed).multivariate_normal(np.zeros(4), covariance, size=40)
        estimates = [probe.estimate(code, covariance) for code in seen]
        inside += [abs(one.value - label) < 1.96 * one.std for one, label in zip(estimates, labels, strict=True)]
        certain = [probe.estimate(code) for code in seen]
        assert all(one.std < other.std for one, other in zip(certain, estimates, strict=True))
    assert 0.92 < np.mean(inside) < 0.98


def test_slopes_are_those_of_finite_differences():
    codes, _ = family(30, 0.0, True)
    basis, code = Basis.of(codes, 2), codes[3]
    steps = 1e-8 * np.eye(4)
    differences = [(basis((code + h)[None]) - basis((code - h)[None]))[0] / 2e-8 for h in steps]
    np.testing.assert_allclose(basis.slopes(code), np.stack(differences, -1), rtol=1e-5, atol=1e-3)


def test_units_of_codes_and_labels_change_nothing():
    codes, values = family(30, 0.1, True)
    one, other = Probe.of(codes, values), Probe.of(1e6 * codes, 1e-3 * values)
    assert one.r2 == pytest.approx(other.r2, rel=1e-9)
    assert other.estimate(1e6 * codes[0]).std == pytest.approx(1e-3 * one.estimate(codes[0]).std, rel=1e-9)


def test_too_few_members_are_refused():
    with pytest.raises(ValueError, match=f"at least {FEWEST} training members that have them, got 4"):
        Probe.of(np.ones((4, 2)), np.ones(4))
