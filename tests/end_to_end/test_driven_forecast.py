"""Members that inputs drive: one alone, several at once, and on the command line, held as they were in the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

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
