"""The Python interface: numpy in, numpy out, and an error that says what was expected."""

from __future__ import annotations

import copy
import hashlib
import io
import pickle
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import metastruct
from metastruct.adaptation.adaptation import Fit
from metastruct.data.shots import whole
from metastruct.objectives.objective import Objective
from metastruct.running.assembly import component
from metastruct.running.experiment import run

MU = np.array([[1.0, 1.0, 0.2]])


@pytest.fixture(scope="module")
def model(first_run) -> metastruct.Model:
    return metastruct.load(first_run[0].path)


@pytest.fixture(scope="module")
def observations(tiny, first_run) -> tuple[np.ndarray, np.ndarray]:
    """States and derivatives `[points, state]` of one pendulum."""
    system = component(tiny(first_run[1]).system)
    states = system.sample_starts(np.random.default_rng(0), MU[0], 30)
    return states, system.vector_field(states[None], MU)[0]


@pytest.fixture(scope="module")
def member(model, observations) -> metastruct.Member:
    return model.adapt(*observations)


@pytest.fixture
def folder(first_run, tmp_path) -> Path:
    """A copy of the run folder, to damage."""
    shutil.copytree(first_run[0].path, tmp_path / "run")
    return tmp_path / "run"


def test_a_path_may_be_a_word(first_run):
    assert metastruct.load(str(first_run[0].path)).system == "pendulum"


def test_adapted_member_has_a_code_and_the_losses_of_its_fit(member):
    assert member.code.shape == (2,)
    assert member.losses.shape == (21,)
    assert member.losses.dtype == np.float64


def test_more_steps_fit_better_and_the_settings_of_the_run_stay(model, observations):
    first = model.adapt(*observations, "gradient")
    assert first.losses.shape == (301,)
    longer = model.adapt(*observations, adaptation="gradient", steps=400, learning_rate=0.1)
    assert longer.losses.shape == (401,)
    assert longer.losses[-1] < first.losses[-1]
    assert model.adapt(*observations, "gradient").losses.tolist() == first.losses.tolist()


def test_default_is_levenberg_marquardt_whatever_the_run_used(model, observations, member):
    named = model.adapt(*observations, adaptation="levenberg_marquardt")
    np.testing.assert_array_equal(named.code, member.code)
    assert member.covariance.shape == (2, 2)


@pytest.mark.parametrize(
    ("adaptation", "message"),
    [("levenberg", "adaptation=levenberg is not known"), ("closed_form", "needs a field that is affine in the code")],
)
def test_an_adaptation_that_does_not_go_with_the_model_is_refused(model, adaptation, message):
    with pytest.raises(ValueError, match=message):
        model.adapt(GOOD, GOOD, adaptation=adaptation)


def test_error_bars_have_the_shape_of_what_they_are_for_and_shrink_with_data(model, observations, member):
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    mean, std = member.vector_field(x, std=True)
    np.testing.assert_allclose(mean, member.vector_field(x), rtol=1e-12)
    assert std.shape == mean.shape
    few = model.adapt(*(values[:1] for values in observations))
    assert (std > 0).all()
    assert few.covariance.trace() > member.covariance.trace() > 0


NO_STATE = ([1j, 0], np.array([1, 2], "m8[ms]"), [True, 0.0], ["1", "2"], [1.0], [1.0, 2.0, 3.0], [], 1.0, None)
MASKED = np.ma.masked_array([1.0, 2.0], [True, False])


@pytest.mark.parametrize("y", [*NO_STATE, MASKED, np.ones((3, 1))])
def test_what_is_no_state_is_refused_by_all_that_take_one(member, y):
    for ask in (lambda: member.as_function()(0.0, y), lambda: member.energy_difference(y, [0.0, 0.0])):
        with pytest.raises(ValueError, match=r"^[xy] must (be|have) [^\n]*$"):
            ask()


def test_a_function_for_solvers_takes_any_order_of_the_numbers(member):
    function, y = member.as_function(), np.random.default_rng(0).normal(size=(2, 6))
    for same in (y[:, ::-1][:, ::-1], np.asfortranarray(y), y.astype(">f8"), torch.from_numpy(y)):
        np.testing.assert_array_equal(function(0.0, same), function(0.0, y))
    np.testing.assert_array_equal(function(0.0, y[:, ::-1]), function(0.0, y)[:, ::-1])


def test_a_part_of_many_members_is_as_of_a_list(model, observations):
    members = model.adapt_many([observations] * 2 + [(observations[0][:9], observations[1][:9])])
    for part in (slice(1, None), slice(None, None, -1), slice(None, None, 2)):
        np.testing.assert_array_equal(members[part].codes, members.codes[part])
        np.testing.assert_array_equal(members[part].losses, members.losses[part])
    with pytest.raises(ValueError, match="must hold one at least"):
        members[3:]


@pytest.mark.parametrize("name", [5, ["gradient"], 1.5, b"gradient"])
def test_an_adaptation_has_a_name(model, observations, name):
    with pytest.raises(ValueError, match=r"^adaptation=[^\n]* is not known"):
        model.adapt(*observations, name)


def test_energy_differences_are_those_of_the_energy_with_an_error(member):
    x, y = np.random.default_rng(0).normal(size=(3, 4, 2)), np.zeros(2)
    difference, std = member.energy_difference(x, y)
    np.testing.assert_allclose(difference, member.energy(x) - member.energy(y), rtol=1e-9, atol=1e-12)
    assert difference.shape == std.shape == (3, 4)
    assert (std > 0).all()
    assert member.energy_difference(y, y)[1] < 1e-12


def test_error_bars_are_refused_where_there_is_no_posterior(model, observations):
    member = model.adapt(*observations, "gradient")
    assert member.covariance is None
    for ask in (lambda: member.vector_field(GOOD, std=True), lambda: member.energy_difference(GOOD, GOOD)):
        with pytest.raises(ValueError, match="adaptation=closed_form or levenberg_marquardt"):
            ask()


def test_a_list_of_trajectories_is_what_they_are_end_to_end(model, observations, member):
    states, dxdt = observations
    cut = model.adapt([states[:10], states[10:]], [dxdt[:10], dxdt[10:]])
    np.testing.assert_array_equal(cut.code, member.code)
    listed = model.adapt(states.tolist(), dxdt.tolist())
    np.testing.assert_array_equal(listed.code, member.code)


def test_adapting_does_not_change_the_model(model, observations, member):
    states, dxdt = observations
    model.adapt(states, -dxdt, steps=20)
    np.testing.assert_array_equal(model.adapt(states, dxdt).code, member.code)


def test_arguments_are_not_changed(model, observations):
    states, dxdt = (values.copy() for values in observations)
    model.adapt(states, dxdt).rollout(states, [0.0, 0.1])
    np.testing.assert_array_equal(states, observations[0])
    np.testing.assert_array_equal(dxdt, observations[1])


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (0,)])
def test_results_have_the_shape_of_the_states(member, shape):
    x = np.random.default_rng(0).normal(size=(*shape, 2))
    assert member.vector_field(x).shape == (*shape, 2)
    assert member.energy(x).shape == shape
    assert member.rollout(x, [0.0, 0.05, 0.2]).shape == (*shape, 3, 2)
    assert member.vector_field(x).dtype == np.float64


def test_results_at_many_states_are_those_at_each(member):
    x = np.random.default_rng(0).normal(size=(2, 3, 2))
    for i in range(2):
        for j in range(3):
            np.testing.assert_allclose(member.vector_field(x)[i, j], member.vector_field(x[i, j]), rtol=1e-12)
            np.testing.assert_allclose(member.energy(x)[i, j], member.energy(x[i, j]), rtol=1e-12)


def test_vector_field_is_the_symplectic_gradient_of_the_energy(member):
    x, h = np.random.default_rng(0).normal(size=(5, 2)), 1e-5
    by_q, by_p = ((member.energy(x + s) - member.energy(x - s)) / (2 * h) for s in h * np.eye(2))
    np.testing.assert_allclose(member.vector_field(x), np.stack([by_p, -by_q], -1), rtol=1e-6, atol=1e-8)


def test_energy_is_constant_along_a_rollout(member):
    x = np.random.default_rng(0).normal(size=(4, 2))
    path = member.rollout(x, np.linspace(0, 2, 9))
    energy = member.energy(path)
    assert np.abs(path[:, -1] - x).max() > 0.1
    assert np.abs(energy - energy[:, :1]).max() < 1e-6 * np.ptp(
        member.energy(np.random.default_rng(1).normal(size=(50, 2)))
    )


def test_rollout_starts_at_its_start_and_follows_the_field(member):
    x = np.array([0.3, -0.5])
    path = member.rollout(x, [1.0, 1.001, 3.0])
    np.testing.assert_array_equal(path[0], x)
    np.testing.assert_allclose((path[1] - x) / 0.001, member.vector_field(x), rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(path, member.rollout(x, [0.0, 0.001, 2.0]), rtol=1e-9)
    np.testing.assert_array_equal(member.rollout(x, [5.0]), x[None])


def test_run_measured_what_the_interface_gives(first_run, model):
    """The codes of the evaluation, used by hand, have the rollouts of the evaluation."""
    with np.load(first_run[0].evaluation) as arrays:
        codes, times, query, rollouts = (arrays[name] for name in ("test_codes", "times", "query", "rollouts"))
    fit = Fit(torch.from_numpy(codes), torch.zeros(1, len(codes)))
    for task, member in enumerate(metastruct.Members(model.fields(fit), model)):
        np.testing.assert_allclose(member.rollout(query[task, :, 0], times), rollouts[task], rtol=1e-8, atol=1e-9)


@pytest.fixture(scope="module")
def lively(model) -> metastruct.Model:
    """The same, as if its training tasks had been far from each other: their codes rule their fields."""
    network, generator = copy.deepcopy(model.trained.model), torch.Generator().manual_seed(0)
    with torch.no_grad():
        network.modulation.hypernetwork.weight.mul_(20)
    codes = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    noise = torch.full((2,), 1e-7, dtype=torch.float64)
    return metastruct.Model(model.settings, replace(model.trained, model=network, codes=codes, noise=noise))


@pytest.fixture(scope="module")
def ragged(tiny, first_run) -> list[tuple[np.ndarray, np.ndarray]]:
    """Observations of members of very different sizes."""
    system, rng = component(tiny(first_run[1]).system), np.random.default_rng(1)
    mu = np.stack([system.sample_parameters(rng, number) for number in range(7)])
    counts = [40, 1, 300, 7, 90, 40, 3]
    states = [system.sample_starts(rng, one, count) for one, count in zip(mu, counts, strict=True)]
    return [(x, system.vector_field(x[None], one[None])[0]) for x, one in zip(states, mu, strict=True)]


def test_many_members_are_as_many_single_ones_whoever_stands_beside_them(lively, ragged, monkeypatch):
    members = lively.adapt_many(ragged)
    monkeypatch.setattr("metastruct.api.model.TOGETHER", 100)
    apart = lively.adapt_many(ragged)
    for number, (states, dxdt) in enumerate(ragged):
        alone = lively.adapt(states, dxdt)
        for one in (members[number], apart[number]):
            np.testing.assert_allclose(one.code, alone.code, rtol=1e-9, atol=1e-10)
            np.testing.assert_allclose(one.covariance, alone.covariance, rtol=1e-8, atol=1e-12)
            np.testing.assert_allclose(one.losses, alone.losses, rtol=1e-8, atol=1e-14)
            assert one.converged == alone.converged
    assert np.abs(np.diff(members.codes, axis=0)).max(axis=1).min() > 1e-3  # the control: no two are the same
    assert members.std.shape == members.codes.shape == (7, 2)


def test_members_answer_together_as_each_alone(lively, ragged, monkeypatch):
    members, rng = lively.adapt_many(ragged), np.random.default_rng(0)
    monkeypatch.setattr("metastruct.api.fields.TOGETHER", 12)
    times = [0.0, 0.1, 0.3]
    for shape in ((7, 2), (7, 3, 2), (1, 2), (7, 2, 40, 2)):
        x = rng.normal(size=shape)
        field, (mean, std) = members.vector_field(x), members.vector_field(x, std=True)
        paths, energies = members.rollout(x, times), members.energy(x)
        assert paths.shape == (7, *shape[1:-1], 3, 2)
        for number, member in enumerate(members):
            place = x[number if len(x) > 1 else 0]
            np.testing.assert_allclose(field[number], member.vector_field(place), rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(mean[number], member.vector_field(place), rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(std[number], member.vector_field(place, std=True)[1], rtol=1e-7, atol=1e-12)
            np.testing.assert_allclose(paths[number], member.rollout(place, times), rtol=1e-8, atol=1e-10)
            np.testing.assert_allclose(energies[number], member.energy(place), rtol=1e-9, atol=1e-10)


def test_members_are_a_sequence(lively, ragged):
    members = lively.adapt_many(ragged)
    assert len(members) == len([*members]) == 7
    np.testing.assert_array_equal(members[-1].code, members.codes[6])
    np.testing.assert_array_equal(members[1:4].codes, members.codes[1:4])
    assert members.losses.shape == (7, 21)
    with pytest.raises(IndexError):
        members[7]
    with pytest.raises(ValueError, match=r"must have the shape \[7, \.\.\., 2\], or \[1, \.\.\., 2\] .* got \[3, 2\]"):
        members.vector_field(np.zeros((3, 2)))
    gradient = lively.adapt_many(ragged, "gradient", steps=3)
    assert gradient.covariances is None
    assert gradient[0].converged is bool(gradient.converged[0])
    with pytest.raises(ValueError, match="adaptation=closed_form or levenberg_marquardt"):
        gradient.std  # noqa: B018


@pytest.mark.parametrize(
    ("observations", "message"),
    [
        ([], "at least one member, got none"),
        ([(np.ones((3, 2)), np.ones((3, 2))), (np.ones((3, 2)), np.ones((2, 2)))], r"member 1: .* as many points"),
        ([{"states": np.ones((3, 2)), "dx": np.ones((3, 2))}], "member 0: observations must be"),
        ([(np.ones((3, 2)),)], "member 0: objective=derivatives reads dxdt, got none"),
        ([(np.ones((3, 2)), np.ones((3, 2)), np.ones(3))], "member 0: observations must be .* got 3 parts"),
    ],
)
def test_observations_of_many_that_make_no_sense_name_the_member(model, observations, message):
    with pytest.raises(ValueError, match=message):
        model.adapt_many(observations)


def test_a_mapping_names_the_parts(lively, ragged):
    named = [{"dxdt": dxdt, "states": states} for states, dxdt in ragged]
    np.testing.assert_array_equal(lively.adapt_many(named).codes, lively.adapt_many(ragged).codes)


def test_the_function_of_a_member_is_its_field_in_the_shapes_of_scipy(member):
    function, x = member.as_function(), np.random.default_rng(0).normal(size=(6, 2))
    np.testing.assert_allclose(function(0.0, x[0]), member.vector_field(x[0]), rtol=1e-10)
    np.testing.assert_allclose(function(0.0, x.T), member.vector_field(x).T, rtol=1e-10)
    path = solve_ivp(function, (0, 1), x[0], rtol=1e-9, atol=1e-9, vectorized=True)
    np.testing.assert_allclose(path.y[:, -1], member.rollout(x[0], [0.0, 1.0])[-1], rtol=1e-4, atol=1e-4)


def test_settings_of_an_adaptation_are_settled_once(model, observations, monkeypatch):
    model.adapt(*observations, tolerance=0.05)

    def refuse(*_):
        raise AssertionError("configuration is read again")

    monkeypatch.setattr("metastruct.api.model.adapted_by", refuse)
    model.adapt(*observations, tolerance=0.05)
    with pytest.raises(AssertionError):
        model.adapt(*observations, tolerance=0.06)


class Middle(Objective):
    """The field at the middle of three consecutive samples against their slope; reads times and no derivatives."""

    reads, window = ("states", "times", "inputs"), 3

    def residual(self, model, observations, codes):
        x, t = (values.unflatten(-2, (-1, 3)) for values in (observations.states, observations.times))
        slope = (x[..., 2, :] - x[..., 0, :]) / (t[..., 2, :] - t[..., 0, :])
        residual = (model.vector_field(x[..., 1, :], codes) - slope) / model.dynamics.derivative_std
        if observations.mask is not None:
            residual = residual * observations.mask.unflatten(-1, (-1, 3))[..., :1]
        return residual.repeat_interleave(3, -2).flatten(-2)


def test_borders_and_times_of_trajectories_reach_an_objective_that_reads_them(lively, monkeypatch):
    """Every window is one of a single trajectory, and none is left out; joined ones, the control, have one more."""
    times = [np.linspace(0, 0.2, 6), 5 + np.cumsum(np.full(7, 0.03))]
    paths = [np.random.default_rng(k).normal(size=(len(t), 2)) for k, t in enumerate(times)]
    monkeypatch.setattr(lively, "trained", replace(lively.trained, objective=Middle()))
    since = [t - t[0] for t in times]
    inside = {(*t[i : i + 3].tolist(),) for t in since for i in range(len(t) - 2)}

    def windows(*given: np.ndarray) -> set[tuple[float, ...]]:
        asked = lively._reading.member([paths, np.concatenate(paths)][len(given) == 1], times=[*given])
        seen = whole([asked], Middle().request).times[0, :, 0].unflatten(0, (-1, 3))
        return {(*window.tolist(),) for window in seen}

    assert windows(*times) <= inside
    assert {instant for window in windows(*times) for instant in window} == {*np.concatenate(since).tolist()}
    assert windows(np.concatenate(times)) - inside
    first, second = (lively.adapt(paths, times=[factor * t for t in times]) for factor in (1, 2))
    assert np.abs(first.code - second.code).max() > 1e-3  # they are not only carried along
    with pytest.raises(ValueError, match=r"reads times, got none; give times="):
        lively.adapt(paths)
    with pytest.raises(ValueError, match="at least the 3 samples of a window, got 2"):
        lively.adapt([paths[0], paths[1][:2]], times=[times[0], times[1][:2]])
    with pytest.raises(ValueError, match="times of a trajectory must increase"):
        lively.adapt(paths, times=[times[0][::-1], times[1]])
    with pytest.raises(ValueError, match="inputs are for a model that was trained with inputs"):
        lively.adapt(paths, times=times, inputs=[np.ones((6, 1)), np.ones((7, 1))])


GOOD = np.zeros((5, 2))
WRONG = {
    "one number a state": ((np.zeros((5, 1)), GOOD), r"states must have the shape \[points, 2\], got \[5, 1\]"),
    "no points axis": ((np.zeros(2), GOOD), r"states must have the shape \[points, 2\], got \[2\]"),
    "too many axes": ((np.zeros((1, 5, 2)), GOOD), r"states must have the shape \[points, 2\]"),
    "wrong derivatives": ((GOOD, np.zeros((5, 3))), r"dxdt must have the shape \[points, 2\], got \[5, 3\]"),
    "another number of points": ((GOOD, np.zeros((4, 2))), r"as many points, got \[5\] and \[4\]"),
    "no observation": ((np.zeros((0, 2)), np.zeros((0, 2))), "at least one observation"),
    "empty list": (([], []), r"states must have the shape \[points, 2\]"),
    "NaN": ((np.full((5, 2), np.nan), GOOD), r"states must be finite and at most 1e\+50, got 10 NaN"),
    "infinity": ((GOOD, np.full((5, 2), np.inf)), "dxdt must be finite"),
    "words": (([["a", "b"]], GOOD), "states must be numbers"),
    "ragged": (([[1.0, 2.0], [3.0]], GOOD), "states must be numbers"),
    "a trajectory of another system": (([GOOD, np.zeros((5, 3))], [GOOD, GOOD]), "states must have the shape"),
    "one list": (([GOOD, GOOD], np.zeros((10, 2))), r"as many points, got \[5, 5\] and \[10\]"),
    "trajectories cut elsewhere": (
        ([np.zeros((2, 2)), np.zeros((3, 2))], [np.zeros((3, 2)), np.zeros((2, 2))]),
        r"as many points, got \[2, 3\] and \[3, 2\]",
    ),
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_observations_that_make_no_sense_are_refused(model, arguments):
    with pytest.raises(ValueError, match=arguments[1]):
        model.adapt(*arguments[0])


@pytest.mark.parametrize("settings", [{"step": 3}, {"name": "x"}, {"_target_": "os.system"}])
def test_a_setting_that_is_not_known_is_refused_with_those_that_are(model, settings):
    with pytest.raises(
        ValueError, match=r"adapt takes the settings damping, robust, screening, starts, steps, tolerance, got"
    ):
        model.adapt(GOOD, GOOD, **settings)


@pytest.mark.parametrize("method", ["vector_field", "energy"])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(3), r"x must have the shape \[\.\.\., 2\], got \[3\]"),
        (1.0, r"x must have the shape \[\.\.\., 2\], got \[\]"),
        ([np.nan, 0.0], "x must be finite"),
        ("ab", "x must be numbers"),
    ],
)
def test_states_that_make_no_sense_are_refused(member, method, x, message):
    with pytest.raises(ValueError, match=message):
        getattr(member, method)(x)


@pytest.mark.parametrize(
    ("x0", "times", "message"),
    [
        (np.zeros(3), [0.0, 1.0], r"x0 must have the shape"),
        ([np.inf, 0.0], [0.0, 1.0], "x0 must be finite"),
        (np.zeros(2), [0.0, 1.0, 1.0], "increase"),
        (np.zeros(2), [1.0, 0.0], "increase"),
        (np.zeros(2), [0.0, np.nan], "finite"),
        (
            np.zeros(2),
            [0.0, 1e12],
            "a rollout may take at most 1,000,000 steps, got 1e.12 of time in steps of 0.05; ask",
        ),
        (np.zeros(2), [0.0, 1.0, 1e300], "at most 1,000,000 steps"),
        (np.zeros(2), [], r"times must have the shape \[times\]"),
        (np.zeros(2), 1.0, r"times must have the shape \[times\]"),
        (np.zeros(2), [[0.0, 1.0]], r"times must have the shape \[times\]"),
    ],
)
def test_rollouts_that_make_no_sense_are_refused(member, x0, times, message):
    with pytest.raises(ValueError, match=message):
        member.rollout(x0, times)


def test_a_model_without_structure_has_no_energy_and_says_so(tiny, tmp_path):
    folder = run(tiny(tmp_path, "dynamics=unstructured", "trainer.steps=2", "evaluation.steps=2"))
    member = metastruct.load(folder.path).adapt(GOOD, GOOD)
    assert member.vector_field(GOOD).shape == (5, 2)
    with pytest.raises(TypeError, match=r"dynamics=unstructured has no energy; use dynamics=.*hamiltonian"):
        member.energy(GOOD)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must be the folder of a finished run, got one without config\.yaml$"):
        metastruct.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.yaml", "model.ckpt"])
def test_a_folder_without_a_finished_run_is_told(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        metastruct.load(folder)


@pytest.mark.parametrize("damage", ["cut", "altered", "no sum"])
def test_a_damaged_model_file_is_refused(folder, damage):
    path = folder / "model.ckpt"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-20])
    elif damage == "altered":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        (folder / "model.ckpt.sha256").unlink()
    with pytest.raises(ValueError, match=r"model\.ckpt does not have the sum"):
        metastruct.load(folder)


def test_a_model_file_of_another_configuration_is_refused(folder):
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("width: 8", "width: 9"))
    with pytest.raises(ValueError, match=r"model\.ckpt is not of the training pendulum-svd5-seed0-"):
        metastruct.load(folder)


class Malicious:
    """A pickle that would write a file."""

    def __init__(self, victim: Path):
        self.victim = victim

    def __reduce__(self):
        return Path.touch, (self.victim,)


def test_code_in_a_model_file_is_not_executed(folder, tmp_path):
    victim, model = tmp_path / "victim", folder / "model.ckpt"
    content, buffer = model.read_bytes(), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            evil = pickle.dumps(Malicious(victim), protocol=2)
            new.writestr(name, evil if name.endswith("data.pkl") else old.read(name))
    torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)
    assert victim.exists()  # the trap works where it is let
    victim.unlink()
    model.write_bytes(buffer.getvalue())
    (folder / "model.ckpt.sha256").write_text(f"{hashlib.sha256(buffer.getvalue()).hexdigest()}  model.ckpt\n")
    with pytest.raises(ValueError, match=r"model\.ckpt holds no model"):
        metastruct.load(folder)
    assert not victim.exists()
