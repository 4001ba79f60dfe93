"""What one member's data give alone: a law's parameters, a sparse field, and forecasts that are the flow's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from metastruct.data.trajectory import Trajectory
from metastruct.evaluation.rivals.law import KnownLaw
from metastruct.evaluation.rivals.rival import forecasts, misfits
from metastruct.evaluation.rivals.sindy import LIBRARIES, Sindy, _terms

MU = np.array([1.7, 0.3])
SPREAD = np.array([1.0, 1.3])


def duffing(x, mu):
    return np.stack([x[..., 1], -mu[0] * x[..., 0] - mu[1] * x[..., 0] ** 3], -1)


def seen(count: int = 3, noise: float = 0.0, irregular: bool = False) -> list[Trajectory]:
    rng, every = np.random.default_rng(0), []
    for number in range(count):
        times = 5.0 + (rng.uniform(0.02, 0.08, 80 + number).cumsum() if irregular else 0.05 * np.arange(80 + number))
        x0 = rng.uniform(-1, 1, 2)
        states = solve_ivp(lambda _, x: duffing(x, MU), times[[0, -1]], x0, t_eval=times, rtol=1e-10, atol=1e-10).y.T
        every.append(Trajectory(times, states + noise * rng.normal(size=states.shape)))
    return every


def test_forecasts_are_those_of_a_solver_at_instants_of_their_own():
    for one in seen(irregular=True):
        path = forecasts(lambda x: duffing(x, MU), one.states[:1], one.times[None])[0]
        np.testing.assert_allclose(path, one.states, atol=1e-5)


def test_misfits_of_trajectories_of_several_lengths_are_those_of_each():
    every = seen(irregular=True)
    together = misfits(lambda x: duffing(x, 0.9 * MU), every, SPREAD)
    assert len(together) == sum(2 * len(one) for one in every)
    assert np.abs(together).max() > 0.05
    assert np.abs(misfits(lambda x: duffing(x, MU), every, SPREAD)).max() < 1e-4


def test_a_law_finds_the_parameters_through_noise():
    mu = KnownLaw(duffing, [1.0, 0.0]).parameters(seen(noise=0.02), SPREAD)
    np.testing.assert_allclose(mu, MU, atol=0.05)
    exact = KnownLaw(duffing, [1.0, 0.0]).parameters(seen(), SPREAD)
    np.testing.assert_allclose(exact, MU, atol=1e-4)


@pytest.mark.parametrize(
    ("law", "told"),
    [
        (lambda x, mu: x[..., 0], "must give dx/dt of the shape of its states"),
        (lambda x, mu: mu[5] * x, "the law refuses a state and 2 parameters"),
    ],
)
def test_a_law_that_makes_no_sense_is_refused(law, told):
    with pytest.raises(ValueError, match=told):
        KnownLaw(law, [1.0, 0.0]).fit(seen(1), SPREAD)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("law.py", "FILE.py:FUNCTION"),
        ("nix.py:law", "nix.py"),
        ("HERE:other", "must have the function other"),
    ],
)
def test_a_file_without_the_law_is_refused(tmp_path, place, told):
    (tmp_path / "law.py").write_text("def law(x, mu):\n    return x\n")
    with pytest.raises(ValueError, match=told):
        KnownLaw.read(place.replace("HERE", str(tmp_path / "law.py")), [1.0])


def test_a_law_that_cannot_be_run_is_told_in_one_line(tmp_path):
    (tmp_path / "law.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(ValueError, match="cannot be run: ModuleNotFoundError"):
        KnownLaw.read(f"{tmp_path}/law.py:law", [1.0])


@pytest.mark.torture
def test_weak_sindy_finds_a_law_that_its_library_holds():
    pytest.importorskip("pysindy")
    field = Sindy().fit(seen(), SPREAD)
    x = np.random.default_rng(1).uniform(-1, 1, (20, 2))
    np.testing.assert_allclose(field(x), duffing(x, MU), atol=2e-2)
    with pytest.raises(ValueError, match="at least 12 samples"):
        Sindy().fit([seen(1)[0].part(slice(5))], SPREAD)


@pytest.mark.torture
def test_weak_sindy_has_windows_for_few_samples_at_instants_of_their_own():
    pytest.importorskip("pysindy")
    field = Sindy().fit([one.part(slice(12)) for one in seen(irregular=True)], SPREAD)
    assert np.isfinite(field(np.zeros((4, 2)))).all()


@pytest.mark.parametrize("library", LIBRARIES)
def test_terms_are_those_of_pysindy(library):
    pysindy = pytest.importorskip("pysindy")
    x = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(_terms(library, 3)(x), Sindy._library(pysindy, library).fit_transform(x), atol=1e-12)
