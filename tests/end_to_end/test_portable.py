"""Members in a file of their own: the same anywhere, refused where they are not, updated as data come."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import begin
from safetensors.torch import load_file, save_file

import metastruct
from metastruct.adaptation.adaptation import Prior
from metastruct.api.portable import sum_of
from metastruct.commands import main
from metastruct.running.experiment import run

SIZE = 30


@pytest.fixture(scope="module")
def observations() -> tuple[np.ndarray, np.ndarray]:
    states = np.random.default_rng(0).uniform(-1, 1, (SIZE, 2))
    return states, np.stack([states[:, 1], -np.sin(states[:, 0])], -1)


@pytest.fixture(scope="module")
def model(first_run) -> metastruct.Model:
    return metastruct.load(first_run[0].path)


@pytest.fixture(scope="module")
def member(model, observations) -> metastruct.Member:
    return model.adapt(*observations, adaptation="levenberg_marquardt")


def test_a_member_is_the_same_in_another_process_that_has_no_run(member, tmp_path, observations):
    path = member.save(tmp_path / "member.safetensors")
    times = np.linspace(0, 1, 5)
    words = (
        "import json, sys, numpy as np, metastruct; m = metastruct.load_member(sys.argv[1]);"
        "x, t = np.array(json.loads(sys.argv[2])), np.linspace(0, 1, 5);"
        "print(json.dumps([v.tolist() for v in (m.code, m.energy(x), *m.vector_field(x, std=True),"
        "*m.forecast(x[0], t, std=True), m.update(x, x).code)]))"
    )
    x = observations[0]
    result = begin(["-c", words, path, json.dumps(x.tolist())], tmp_path, os.environ).result()
    there = json.loads(result.stdout)
    here = [member.code, member.energy(x), *member.vector_field(x, std=True), *member.forecast(x[0], times, std=True)]
    for mine, other in zip([*here, member.update(x, x).code], there, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_who_waits_allows_a_loaded_member_more_steps(member, first_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("metastruct.integrators.rollout.MOST_STEPS", 10)
    path, x0, times = member.save(tmp_path / "member.safetensors"), [0.1, 0.0], np.linspace(0, 1, 12)
    alone = metastruct.load_member(path)
    with pytest.raises(
        ValueError, match=r"at most 10 steps, .*, or allow more where it is loaded, work=2 or --work 2$"
    ):
        alone.rollout(x0, times)
    for loaded in (metastruct.load_member(path, work=1e3), metastruct.load_members(path, work=1e3)[0]):
        np.testing.assert_array_equal(loaded.rollout(x0, times), loaded.forecast(x0, times, std=True)[0])
    assert metastruct.load(first_run[0].path, work=7).settings.trainer.work == 7
    words = ["forecast", str(path), "--from", "0.1,0", "--until", "1", "--output", "-"]
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    main([*words, "--work", "1000"])
    written = capsys.readouterr()
    assert written.err.endswith("or allow more where it is loaded, work=2 or --work 2\n")
    assert written.out.count("\n") > 300


@pytest.mark.parametrize("work", [0, 0.5, -1, np.nan, np.inf, 2e6, "2", True, [2], 2j])
def test_work_is_a_number_from_one_to_a_million(member, first_run, tmp_path, work):
    path = member.save(tmp_path / "member.safetensors")
    for load, place in ((metastruct.load, first_run[0].path), (metastruct.load_member, path)):
        with pytest.raises(ValueError, match=r"^work must be a number from 1 to 1,000,000, got "):
            load(place, work=work)


def test_many_members_leave_together(model, observations, tmp_path):
    x, dxdt = observations
    members = model.adapt_many([(x, dxdt), (x[:9], 2 * dxdt[:9])])
    path = members.save(tmp_path / "members.safetensors")
    again = metastruct.load_members(path)
    np.testing.assert_array_equal(again.codes, members.codes)
    np.testing.assert_array_equal(again.covariances, members.covariances)
    np.testing.assert_array_equal(again[1].vector_field(x), members[1].vector_field(x))
    with pytest.raises(ValueError, match="must hold one member, got 2; read it with load_members"):
        metastruct.load_member(path)


def altered(path: Path, tensors=None, text=None, right_sum=True) -> None:
    """Write the file with other arrays or other text, whose sum is right unless told otherwise."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        words = dict(file.metadata())
    arrays = load_file(path) | (tensors or {})
    arrays = {name: values for name, values in arrays.items() if values is not None}
    words |= text or {}
    if right_sum:
        words["sha256"] = sum_of(arrays, {name: value for name, value in words.items() if name != "sha256"})
    save_file(arrays, path, words)


def configuration(path: Path) -> str:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.metadata()["configuration"]


DAMAGES = {
    "empty": (lambda path: path.write_bytes(b""), "damaged one or another kind"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-9]), "damaged one or another kind"),
    "text": (lambda path: path.write_text("code: 1"), "damaged one or another kind"),
    "one bit": (
        lambda path: path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])),
        "sum that it names",
    ),
    "another sum": (lambda path: altered(path, text={"provenance": "{}"}, right_sum=False), "sum that it names"),
    "another format": (lambda path: altered(path, text={"format": "members 9"}), "must be of the format"),
    "no metadata": (lambda path: save_file(load_file(path), path), "must be of the format"),
    "no code": (lambda path: altered(path, {"fit.codes": None}), r"must hold codes \[members, 2\]"),
    "wide code": (lambda path: altered(path, {"fit.codes": torch.zeros(1, 3)}), r"must hold codes \[members, 2\]"),
    "NaN code": (lambda path: altered(path, {"fit.codes": torch.full((1, 2), torch.nan)}), "not finite"),
    "complex code": (lambda path: altered(path, {"fit.codes": torch.zeros(1, 2, dtype=torch.complex64)}), "kind"),
    "small covariance": (lambda path: altered(path, {"fit.covariance": torch.zeros(1, 2, 1)}), "shape"),
    "no losses": (lambda path: altered(path, {"fit.trace": None}), "losses of its fit"),
    "more": (lambda path: altered(path, {"fit.surprise": torch.zeros(2)}), "another kind or shape"),
    "other weights": (lambda path: altered(path, {"model.dynamics.state_std": torch.zeros(3)}), "configuration"),
    "NaN weights": (
        lambda path: altered(path, {"training.codes": torch.full((4, 2), torch.nan)}),
        "training.codes|codes that are not finite",
    ),
    "no training": (lambda path: altered(path, text={"training": "[]"}), "how its training went"),
    "no scale of time": (
        lambda path: altered(
            path, text={"training": '{"seconds": 1, "diverged_at": null, "time_scale": 0, "objective": {}}'}
        ),
        "how its training went",
    ),
    "endless windows": (
        lambda path: altered(
            path,
            text={"training": '{"seconds": 1, "diverged_at": null, "time_scale": 1, "objective": {"window": 1e18}}'},
        ),
        "choices of its objective",
    ),
    "a payload": (
        lambda path: altered(path, text={"configuration": configuration(path) + "tag: !!python/object:os.system x\n"}),
        "without aliases and tags",
    ),
    "a target": (
        lambda path: altered(
            path, text={"configuration": configuration(path).replace("metastruct.nets.mlp.MLP", "torch.load")}
        ),
        "torch.load",
    ),
    "another width": (
        lambda path: altered(path, text={"configuration": configuration(path).replace("width: 8", "width: 9")}),
        "configuration",
    ),
}


@pytest.mark.few(8)
@pytest.mark.parametrize(("damage", "told"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_file_that_is_not_what_it_should_be_is_refused_in_one_line(member, tmp_path, damage, told):
    path = member.save(tmp_path / "member.safetensors")
    damage(path)
    with pytest.raises(ValueError, match=told) as problem:
        metastruct.load_member(path)
    assert "\n" not in str(problem.value)


def test_names_of_files(member, tmp_path):
    with pytest.raises(ValueError, match=r"NAME.safetensors, got .*member.zip"):
        member.save(tmp_path / "member.zip")
    with pytest.raises(FileNotFoundError, match="got none"):
        metastruct.load_member(tmp_path / "none.safetensors")


def test_a_file_names_no_place_where_it_was_made(member, first_run, tmp_path):
    content = member.save(tmp_path / "member.safetensors").read_bytes()
    assert str(first_run[0].path.parent).encode() not in content


@pytest.fixture(scope="module")
def affine(tiny, tmp_path_factory) -> metastruct.Model:
    words = ("modulation=camel", "adaptation=closed_form")
    model = metastruct.load(run(tiny(tmp_path_factory.mktemp("affine"), *words)).path)
    model._prior = Prior.of(torch.eye(2, dtype=torch.float64).repeat(3, 1), model._prior.noise)  # a wide one
    return model


def test_updates_of_an_affine_model_are_one_fit_to_all_observations(affine, observations):
    x, dxdt = observations
    once = affine.adapt(x, dxdt)
    steps = affine.adapt(x[:4], dxdt[:4]).update(x[4:20], dxdt[4:20]).update(x[20:], dxdt[20:])
    np.testing.assert_allclose(steps.code, once.code, rtol=1e-8)
    before, after = (each.fields.fit.posterior[0].numpy() for each in (once, steps))
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-12 * before.max())
    half = affine.adapt(x[:4], dxdt[:4])
    assert np.abs(half.code - once.code).max() > 1e-5, "the rest of the observations says nothing"


def test_error_bars_shrink_as_observations_come_and_forgetting_lets_them_go(model, observations):
    x, dxdt = observations
    first = model.adapt(x[:6], dxdt[:6], adaptation="levenberg_marquardt")
    more = first.update(x[6:], dxdt[6:])
    assert np.diag(more.covariance).sum() < np.diag(first.covariance).sum()
    noisy = first.update(x[6:], dxdt[6:], dxdt_noise=1e3)  # says nothing
    np.testing.assert_allclose(noisy.covariance, first.covariance, rtol=1e-2)
    same = first.update(x[6:], dxdt[6:], forgetting=0.0)
    alone = model.adapt(x[6:], dxdt[6:], adaptation="levenberg_marquardt")
    np.testing.assert_allclose(same.code, alone.code, rtol=1e-3, atol=1e-3)
    for forgetting in (-0.1, 1.1, "all"):
        with pytest.raises(ValueError, match="from 0 to 1"):
            first.update(x, dxdt, forgetting=forgetting)


def test_the_error_bar_of_a_forecast_holds_code_field_and_start(member, observations):
    x0, times = observations[0][0], np.linspace(0, 2, 9)
    path, std = member.forecast(x0, times, std=True)
    np.testing.assert_array_equal(path, member.rollout(x0, times))
    np.testing.assert_array_equal(member.forecast(x0, times), path)
    assert (std[0] == 0).all(), "an exact start"
    assert (std[1:] > 0).all()
    error = np.array([0.01, 0.02])
    _, wider = member.forecast(x0, times, std=True, start_std=error)
    np.testing.assert_allclose(wider[0], error)
    ends = [member.rollout(x0 + sign * step, times) for step in np.diag(error) for sign in (1, -1)]
    moved = ((ends[0] - ends[1]) ** 2 + (ends[2] - ends[3]) ** 2) / 4
    np.testing.assert_allclose(wider, np.sqrt(std**2 + moved), rtol=1e-3)
    with pytest.raises(ValueError, match="at least 0"):
        member.forecast(x0, times, std=True, start_std=-error)
