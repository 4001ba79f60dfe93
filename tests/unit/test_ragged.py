"""Members of different numbers and lengths of trajectories, at irregular times, from training to the last metric."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from metastruct.adaptation.adaptation import Prior
from metastruct.adaptation.gradient import GradientDescent
from metastruct.adaptation.levenberg_marquardt import LevenbergMarquardt
from metastruct.config.facts import in_order, metric_facts
from metastruct.config.needs import Piece
from metastruct.config.schema import CONF
from metastruct.data.recordings import Recordings
from metastruct.data.source import Source
from metastruct.data.trajectory import Member, Trajectory
from metastruct.dynamics.dynamics import Scales
from metastruct.evaluation.errors import relative_error
from metastruct.evaluation.fitted import Learned, Protocol
from metastruct.evaluation.protocol import Measurements, MetricRefused, evaluate
from metastruct.evaluation.summary import summary
from metastruct.integrators.flow import Flow
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.objectives.derivatives import Derivatives
from metastruct.objectives.objective import Objective
from metastruct.optimizers.adam import Adam
from metastruct.running.assembly import build_learner, build_model, component
from metastruct.running.protocol import build_metrics

YAMLS = sorted((CONF / "integrator").glob("*.yaml"))
TRAIN = [[12, 3, 8], [20], [5, 5], [9, 2, 1, 11], [30, 4], [7, 7, 7]]
PIECES = {"dynamics": "hamiltonian", "adaptation": "levenberg_marquardt", "data": "simulated"}
TEST = [[6, 9, 14, 3], [25, 8, 5], [4, 3, 20]]  # the first two of each are support


def oscillator(number: int, lengths: list[int], seed: int = 0) -> Member:
    """Of a stiffness of its own, seen at irregular times: q = a cos(w t + s)."""
    rng = np.random.default_rng([seed, number])
    w = rng.uniform(0.7, 1.5)

    def trajectory(length: int) -> Trajectory:
        a, s, t = rng.uniform(0.5, 1.5), rng.uniform(0, 6), rng.uniform(0.02, 0.4, length).cumsum()
        q, p = a * np.cos(w * t + s), -a * w * np.sin(w * t + s)
        return Trajectory(t, np.stack([q, p], -1), np.stack([p, -(w**2) * q], -1))

    return Member(tuple(map(trajectory, lengths)))


def source(test: list[int] = [0, 1, 2]) -> Source:  # noqa: B006
    """Nobody knows its law."""
    train = [oscillator(number, lengths) for number, lengths in enumerate(TRAIN)]
    return Source("oscillators", ("q", "p"), train, [oscillator(k, TEST[k], seed=1) for k in test], 2)


# Rollouts


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)
def test_rollouts_with_times_of_their_own_are_as_many_single_rollouts(path):
    scheme = component(OmegaConf.merge(OmegaConf.load(path), {"step_size": 0.5}))
    flow = Flow(lambda x: torch.stack([x[..., 1], -x[..., 0]], -1), lambda x: (x * x).sum(-1) / 2)
    starts = torch.tensor([[[1.0, 0.5], [0.2, 1.0]], [[-1.0, 0.0], [0.3, 0.3]]], dtype=torch.float64)
    times = torch.from_numpy(np.random.default_rng(0).uniform(0.05, 0.4, (2, 2, 6)).cumsum(-1))
    times[0, 1, 3:] = times[0, 1, 3]
    times[1, 0, :] = times[1, 0, 0]
    together = rollout(flow, starts, times, scheme)
    assert (together[0, 1, 3:] == together[0, 1, 3]).all()
    assert (together[1, 0] == starts[1, 0]).all()
    for task in range(2):
        for i in range(2):
            own = times[task, i].unique()
            alone = rollout(flow, starts[task : task + 1, i : i + 1], own, scheme)[0, 0]
            torch.testing.assert_close(together[task, i, : len(own)], alone, rtol=1e-12, atol=1e-12)


def test_equal_times_for_each_are_one_axis_of_times():
    flow = Flow(lambda x: torch.stack([x[..., 1], -x[..., 0].sin()], -1))
    starts, times = torch.randn(2, 3, 2, dtype=torch.float64), torch.linspace(0, 2, 5, dtype=torch.float64)
    shared, each = (rollout(flow, starts, t, RK4(0.03)) for t in (times, times.expand(2, 3, -1)))
    torch.testing.assert_close(shared, each, rtol=1e-12, atol=1e-12)


# Errors


def test_a_relative_error_counts_what_was_seen_and_nothing_else():
    rng = np.random.default_rng(0)
    true, learned = rng.normal(size=(2, 3, 4, 2)), rng.normal(size=(2, 3, 4, 2))
    true[0, 1, 2:], true[1, 2] = np.nan, np.nan
    expected = [
        np.linalg.norm((a - b)[~np.isnan(b)]) / np.linalg.norm(b[~np.isnan(b)])
        for a, b in zip(learned, true, strict=True)
    ]
    np.testing.assert_allclose(relative_error(learned, true), expected, rtol=1e-14)
    spoiled = np.where(np.isnan(true), np.nan, learned)
    np.testing.assert_array_equal(relative_error(spoiled, true), relative_error(learned, true))
    spoiled[0, 0, 0] = np.nan
    assert np.isnan(relative_error(spoiled, true)).tolist() == [True, False]
    assert np.isnan(relative_error(learned[:1], np.full_like(true[:1], np.nan))).all()


# Training


class Steps(Objective):
    """Three consecutive samples, whose times it wants."""

    reads, window = ("states", "times"), 3

    def residual(self, model, observations, codes):
        x = observations.states.unflatten(-2, (-1, 3))
        t = observations.times.unflatten(-2, (-1, 3))
        slope = (x[..., 2, :] - x[..., 0, :]) / (t[..., 2, :] - t[..., 0, :])
        return ((model.vector_field(x[..., 1, :], codes) - slope) / model.dynamics.derivative_std).flatten(-2)


@pytest.mark.parametrize("batch", [2, 6])
def test_windows_of_a_batch_are_consecutive_samples_of_one_trajectory_of_their_task(small, batch):
    recordings = Recordings(source().train, torch.float64)
    parts = recordings.parts
    cfg = small("learner=auto_decoding")
    learner = component(
        OmegaConf.merge(cfg.learner, {"task_batch": batch, "point_batch": 15}),
        model=build_model(cfg, Scales.of(parts["states"], parts["derivatives"])),
        recordings=recordings,
        objective=Steps(),
        steps=20,
        steps_per_epoch=5,
        seed=0,
        optimizer=Adam(base_rate=0.01, code_rate=0.01, beta2=0.99),
        locality={"lambda_z": 0.0, "lambda_phi": 0.0},
    ).double()
    learner.configure_optimizers()
    windows = {
        (task, *(one.times - one.times[0])[i : i + 3].tolist(), *one.states[i].tolist())
        for task, member in enumerate(source().train)
        for one in member.trajectories
        for i in range(len(one) - 2)
    }
    drawn = set()
    for step in range(20):
        tasks, points = learner.batches[step].tasks, learner.batches[step].points[0]
        seen = learner.observed(tasks, points)
        times, first = seen.times.unflatten(1, (-1, 3))[..., 0], seen.states.unflatten(1, (-1, 3))[:, :, 0]
        rows = torch.cat([times, first], -1).tolist()
        drawn |= {(task, *row) for task, own in zip(tasks.tolist(), rows, strict=True) for row in own}
        assert learner.outer_update(step).isfinite()
    assert drawn <= windows
    assert len(drawn) > 0.3 * len(windows)
    assert learner.evaluations == 3 * 5 * batch


@pytest.fixture(scope="module")
def trained(small):
    """A learner of a few units, before and after its training."""
    torch.manual_seed(0)
    settings = {"trainer__steps": 250, "learner__point_batch": 8, "modulation__scale": 0.3, "net__width": 12}
    rates = {"optimizer__base_rate": 0.02, "optimizer__code_rate": 0.05}
    cfg = small("modulation=shift", **settings, **rates)
    recordings = Recordings(source().train, torch.float64)
    learner, fresh = (build_learner(cfg, recordings).double() for _ in range(2))
    learner.configure_optimizers()
    losses = [float(learner.outer_update(step)) for step in range(250)]
    assert sum(losses[-20:]) < 0.05 * sum(losses[:20])
    return learner, fresh


def evaluation(learner, data: Source, shots: int = 100, names=None) -> Measurements:
    prior = Prior.of(learner.codes.detach(), torch.full((2,), 1e-3, dtype=torch.float64))
    start = prior.mean.expand(len(data.test), -1)
    asked = build_metrics(in_order("metric") if names is None else names)
    pieces = {group: Piece.as_described(group, name) for group, name in PIECES.items()}
    protocol = Protocol(shots, 0, 12, 1.0, asked, pieces, names is not None)
    learned = Learned(learner.model, Derivatives(), start, prior)
    return evaluate(learned, protocol, LevenbergMarquardt(20, starts=0), RK4(0.02), data)


def test_new_members_are_met_and_measured_without_a_law(trained):
    result, untrained = (evaluation(learner, source()) for learner in trained)
    measured = {name for name, _ in result.values}
    lawless = {name for name in in_order("metric") if "system" not in metric_facts(name).needs}
    noisy = {"forecast_error_sigma"}  # the data are exact
    assert measured == lawless - {"entropy_production", "poisson_degeneracy", "friction_degeneracy"} - noisy
    assert {"trajectory_error", "integrator_error", "energy_drift", "support_loss"} <= measured
    assert not measured & {"field_error", "ssim"}
    for (name, part), values in result.values.items():
        assert values.shape == (3,), name
        short = np.array([name == "residual_whiteness"]) & ~np.isfinite(values)  # whose trajectories are too short
        assert (np.isfinite(values) | short).all(), (name, part)
        assert np.isfinite(values).any(), (name, part)
    errors = [each.values["trajectory_error", ""] for each in (result, untrained)]
    assert np.median(errors[0]) < 0.15
    assert (errors[0] < 0.5 * errors[1]).all()
    assert not result.diverged.any()
    assert result.domains == ["oscillators"] * 3


def test_what_is_measured_of_a_member_does_not_depend_on_the_members_beside_it(trained):
    """Although its observations are filled up beside those that have more."""
    names = ["trajectory_error", "support_loss"]
    whole = evaluation(trained[0], source(), names=names)
    assert whole.adapted.support.count.tolist() == [15, 33, 7]
    assert whole.adapted.times.shape == (3, 2, 20)
    for task in range(3):
        alone = evaluation(trained[0], source([task]), names=names)
        torch.testing.assert_close(alone.adapted.fit.codes[0], whole.adapted.fit.codes[task], rtol=1e-7, atol=1e-8)
        covariances = (each.adapted.fit.covariance for each in (alone, whole))
        torch.testing.assert_close(next(covariances)[0], next(covariances)[task], rtol=1e-6, atol=1e-10)
        for key in (("trajectory_error", ""), ("trajectory_error", "p"), ("support_loss", "")):
            np.testing.assert_allclose(alone.values[key][0], whole.values[key][task], rtol=1e-5)


def test_more_shots_than_some_members_have_are_used_where_they_are(trained):
    few, many = (evaluation(trained[0], source(), shots, ["support_loss"]).adapted.support for shots in (7, 20))
    assert few.mask is None
    assert many.count.tolist() == [15, 20, 7]


def test_a_metric_that_needs_the_law_is_refused_by_name(trained):
    with pytest.raises(MetricRefused, match="field_error, which needs a known vector field"):
        evaluation(trained[0], source(), names=["field_error"])
    adapted = evaluation(trained[0], source(), names=["trajectory_error"]).adapted
    with pytest.raises(ValueError, match="needs a known vector field of the system, which the data do not have"):
        adapted.system  # noqa: B018


def test_rollouts_go_on_from_every_start_and_are_compared_with_what_was_seen(trained):
    adapted = evaluation(trained[0], source(), names=["trajectory_error"]).adapted
    assert np.isnan(adapted.query[0, 1, 3:]).all()
    assert np.isnan(adapted.query[1, 1]).all()  # has one query trajectory, others two
    assert np.isfinite(adapted.rollouts).all()
    assert (adapted.rollouts[:, :, 0] == adapted.starts).all()
    assert (adapted.rollouts[0, 1, 3:] == adapted.rollouts[0, 1, 2]).all()
    assert np.isfinite(adapted.places).all()


def test_arrays_that_are_kept_are_those_that_are_there(trained):
    arrays = evaluation(trained[0], source(), names=["trajectory_error"]).adapted.arrays()
    assert {"times", "query", "rollouts", "trace", "test_codes", "test_parameters", "grid_axes"} <= arrays.keys()
    assert not arrays.keys() & {"grid", "true_field", "true_energy"}
    assert arrays["test_parameters"].shape == (3, 0)


def without_derivatives(member: Member) -> Member:
    return replace(member, trajectories=tuple(replace(one, derivatives=None) for one in member.trajectories))


UNKNOWN, LABELLED = without_derivatives(source().test[0]), replace(source().test[0], parameters=np.ones(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": []}, "a source needs train members, got none"),
        ({"test": [Member(())]}, "test member 0 must have at least 3 trajectories: 2 of support and the query, got 0"),
        ({"state_names": ("q",)}, "train member 0 must have 1 states, as the others, got 2"),
        ({"input_names": ("u",)}, "train member 0 must have 1 inputs, as the others, got 0"),
        ({"train": [*source().train[:2], UNKNOWN]}, "train member 2 must have 2 derivatives, as the"),
        ({"test": [UNKNOWN]}, "test member 0 must have 2 derivatives, as the others, got 0"),
        ({"test": [LABELLED]}, "test member 0 must have the 0 parameters that are named, got 1"),
        ({"parameter_names": ("w",)}, "train member 0 must have the 1 parameters that are named, got 0"),
    ],
)
def test_sources_that_do_not_hold_what_they_name_are_refused(change, message):
    whole = source()
    settings = {name: getattr(whole, name) for name in ("name", "state_names", "train", "test", "support_trajectories")}
    with pytest.raises(ValueError, match=message):
        Source(**settings | change)


def test_a_member_that_was_replaced_is_the_same_otherwise():
    member = source().test[0]
    assert [len(one) for one in member.part(slice(2)).trajectories] == TEST[0][:2]
    assert member.part(slice(None)) == replace(member)


def test_fits_that_did_not_converge_are_counted(trained):
    """One step is not enough for any of them, nor are three of gradient descent."""
    learner = trained[0]
    prior = Prior.of(learner.codes.detach(), torch.full((2,), 1e-6, dtype=torch.float64))
    start = (prior.mean + 2).expand(3, -1)
    learned = Learned(learner.model, Derivatives(), start, prior)
    protocol = Protocol(100, 0, 12, 1.0, build_metrics(["support_loss"]), {}, True)
    counts = [
        summary(evaluate(learned, protocol, adaptation, RK4(0.02), source()))["unconverged_tasks"]
        for adaptation in (LevenbergMarquardt(20), LevenbergMarquardt(1, starts=0), GradientDescent(3, 0.1))
    ]
    assert counts == [0, 3, 3]
