"""Members that inputs drive: one alone, several at once, and on the command line, held as they were in the training."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

import metastruct
from metastruct.commands import main
from metastruct.running.experiment import run

TIMES = np.linspace(0.0, 1.0, 6)
U = np.array([[1.0], [-2.0], [3.0], [0.5], [-1.0], [2.0]])
X = np.array([[0.1, 0.5, 0.0, -0.3], [0.2, -0.4, 0.3, 0.1]])


@pytest.fixture(scope="module")
def model(tiny, tmp_path_factory) -> metastruct.Model:
    return metastruct.load(run(tiny(tmp_path_factory.mktemp("driven"), "system=cart_pole")).path)


@pytest.fixture(scope="module")
def members(model) -> metastruct.Members:
    generator = np.random.default_rng(0)
    states, slopes, inputs = (generator.normal(size=(2, 40, size)) for size in (4, 4, 1))
    with pytest.warns(UserWarning, match="not explained"):
        return model.adapt_many(
            [{"states": x, "dxdt": y, "inputs": u} for x, y, u in zip(states, slopes, inputs, strict=True)]
        )


def test_inputs_are_held_as_in_the_training_unless_told_otherwise(members):
    member = members[0]
    usual, held, lines = (member.rollout(X[0], TIMES, U, **more) for more in ({}, {"held": True}, {"held": False}))
    np.testing.assert_array_equal(usual, held)
    assert np.abs(usual - lines).max() > 1e-2
    assert member.model.held_inputs
    assert member.model.layout.inputs == ("force",)


def test_several_members_are_driven_as_each_alone(members):
    others = np.stack([U, -U])
    alike, apart = members.rollout(X[:, None], TIMES, U), members.rollout(X[:, None], TIMES, (TIMES, others))
    assert alike.shape == (2, 1, 6, 4)
    for number, member in enumerate(members):
        expected = member.rollout(X[number, None], TIMES, U)
        np.testing.assert_allclose(alike[number], expected, rtol=1e-6, atol=1e-8)
        expected = member.rollout(X[number, None], TIMES, others[number])
        np.testing.assert_allclose(apart[number], expected, rtol=1e-6, atol=1e-8)
        field, std = members.vector_field(X[None], std=True, inputs=[[1.5], [-0.5]])
        one, spread = member.vector_field(X, std=True, inputs=[[1.5], [-0.5]][number])
        np.testing.assert_allclose(field[number], one, rtol=1e-9)
        np.testing.assert_allclose(std[number], spread, rtol=1e-6)
    assert np.abs(alike[1] - apart[1]).max() > 1e-2, "the inputs do nothing"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "driven by 1 inputs, got none"),
        (U[:-1], r"inputs must have the shape \[6, 1\] or \[2, 6, 1\], got \[5, 1\]"),
        (np.stack([U] * 3), r"got \[3, 6, 1\]"),
    ],
)
def test_inputs_of_another_shape_are_refused(members, inputs, message):
    with pytest.raises(ValueError, match=message):
        members.rollout(X[:, None], TIMES, inputs)


@pytest.fixture
def file(members, tmp_path) -> Path:
    return members[0].save(tmp_path / "cart.safetensors")


def test_the_command_forecasts_under_the_inputs_of_a_table(members, file, tmp_path, capsys):
    pd.DataFrame({"t": TIMES, "force": U[:, 0]}).to_csv(tmp_path / "force.csv", index=False)
    words = ["forecast", str(file), "--from", "0.1,0.5,0,-0.3", "--until", "1", "--every", "0.2", "--output", "-"]
    main([*words, "--inputs", str(tmp_path / "force.csv")])
    lines = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    states, std = members[0].forecast(X[0], TIMES, std=True, inputs=U)
    np.testing.assert_allclose(np.array(lines[1:], float)[:, 1:], np.hstack([states, std]), rtol=1e-6, atol=1e-8)


def test_a_command_without_the_inputs_or_with_several_is_refused_in_one_line(file, tmp_path, capsys):
    words = ["forecast", str(file), "--from", "0.1,0.5,0,-0.3", "--until", "1"]
    several = pd.DataFrame({"t": [*TIMES, *TIMES], "force": [*U[:, 0]] * 2, "trajectory": [0] * 6 + [1] * 6})
    several.to_csv(tmp_path / "several.csv", index=False)
    for more, message in (
        ([], "is driven by force; give it --inputs FILE"),
        (["--inputs", str(tmp_path / "several.csv")], "must hold the inputs of one trajectory, got 2"),
        (["--inputs", str(tmp_path / "none.csv")], "none.csv"),
    ):
        with pytest.raises(SystemExit) as end:
            main([*words, *more])
        assert end.value.code
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("instants", "factor", "message"),
    [
        (np.linspace(0.0, 0.3, 6), 1.0, "the inputs end at t = 0.3 and stay as they are until 1;"),
        (np.linspace(0.5, 1.0, 6), 1.0, "the inputs begin at t = 0.5 and are taken for those from 0 on;"),
        (np.linspace(0.0, 1.0, 6), 1000.0, r"the inputs are \d+ times those of the training;"),
    ],
)
def test_inputs_that_do_not_reach_or_are_of_another_size_are_told(members, instants, factor, message):
    with pytest.warns(UserWarning, match=message):
        members[0].rollout(X[0], TIMES, (instants, factor * U))
    with pytest.warns(UserWarning, match=message):
        members.rollout(X[:, None], TIMES, (instants, factor * U))


def test_inputs_of_another_unit_of_time_are_told_or_refused(members):
    times, u = np.linspace(0.0, 1.0, 21), np.ones((21, 1))
    with pytest.warns(
        UserWarning, match="of the 21 instants of the inputs, 0 to 1000, only 1 lies in the times, 0 to 1;"
    ):
        members[0].forecast(X[0], times, inputs=(1000 * times, u))
    with pytest.raises(ValueError, match="known at some of the times, 0 to 1, got instants from 5 to 6;"):
        members[0].forecast(X[0], times, inputs=(times + 5, u))


@pytest.mark.filterwarnings("error")
def test_a_start_that_no_training_was_near_is_told_but_no_turn_of_an_angle(members):
    scales, angle = members.model.trained.model.dynamics.scales, members.model.trained.model.dynamics.turning[0]
    spread = scales.state_std.numpy()
    turned = X[0].copy()
    turned[angle] += 20 * np.pi
    members[0].rollout(turned, TIMES, U)
    members[0].rollout(X[0] + 5 * spread, TIMES[:2], U[:2])
    far = scales.state_mean.numpy().copy()
    far[1 - angle] += 57.3 * spread[1 - angle]
    for ask in (lambda: members[0].forecast(far, TIMES, inputs=U), lambda: members.rollout(far[None], TIMES, U)):
        with pytest.warns(UserWarning, match="x0 is 57.3 spreads of the training's states away"):
            ask()


@pytest.mark.filterwarnings("error")
def test_usual_inputs_are_told_nothing(members):
    members[0].forecast(X[0], TIMES, std=True, inputs=(TIMES, U))
    members[0].rollout(X[0], TIMES, inputs=U)
    members[0].rollout(X[0], TIMES, inputs=(np.zeros(1), U[:1]))  # a constant
    members[0].rollout(X[0], TIMES, inputs=(TIMES[:-1], U[:-1]), held=True)  # the last one is held until the end
    members[0].rollout(X[0], np.linspace(0.4, 0.5, 30), inputs=(TIMES, U))  # a part of a long record


@pytest.mark.parametrize("held", [True, False])
def test_a_solver_of_scipy_drives_a_member_as_a_rollout_does(members, held):
    member, pieces = members[0], [X[0]]
    function = member.as_function((TIMES, U), held=held)
    for begin, end in pairwise(TIMES):
        inside = (begin, end - 1e-12)  # what is held jumps there
        pieces.append(solve_ivp(function, inside, pieces[-1], rtol=1e-9, atol=1e-10, vectorized=True).y[:, -1])
    np.testing.assert_allclose(pieces, member.rollout(X[0], TIMES, U, held=held), rtol=1e-4, atol=1e-5)
    still = solve_ivp(member.as_function((TIMES, 0 * U), held=held), (0, 1), X[0], rtol=1e-9).y[:, -1]
    assert np.abs(still - pieces[-1]).max() > 1e-2, "the inputs do nothing"
    with pytest.raises(ValueError, match=r"driven by 1 inputs; give as_function a pair inputs=\(t, u\)"):
        member.as_function()


def test_a_field_takes_inputs_of_each_state(members):
    u = np.array([[1.0], [-2.0]])
    field, std = members[0].vector_field(X, std=True, inputs=u)
    for number in range(2):
        one, spread = members[0].vector_field(X[number], std=True, inputs=u[number])
        np.testing.assert_allclose(field[number], one, rtol=1e-9)
        np.testing.assert_allclose(std[number], spread, rtol=1e-6)
    assert np.abs(members[0].vector_field(X, inputs=u[0]) - field).max() > 1e-2
    with pytest.raises(ValueError, match=r"inputs must have the shape \[1\] or \[2, 1\], got \[3, 1\]"):
        members[0].vector_field(X, inputs=np.ones((3, 1)))
