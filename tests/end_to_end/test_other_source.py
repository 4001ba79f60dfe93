"""A data source of a user's own: one file and one yaml, members that nobody simulated, no system.

The members are oscillators of several stiffnesses, driven or not, seen at irregular times, in trajectories of any
length, with derivatives or without.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import metastruct
from metastruct.config.folders import VARIABLE
from metastruct.config.schema import ConfigError, composed
from metastruct.data.outline import Outline
from metastruct.evaluation.archive import Archive
from metastruct.running.assembly import outline_of
from metastruct.running.experiment import run
from metastruct.running.run import configuration_of
from metastruct.runs.folder import RunFolder
from metastruct.sweeps.collect import described

SOURCE = '''
import numpy as np
from metastruct.data.source import Source
from metastruct.data.trajectory import Member, Trajectory


def member(number, lengths, derivatives, driven, even):
    rng = np.random.default_rng(number)
    w = rng.uniform(0.7, 1.5)

    def trajectory(length):
        steps = np.full(length, 0.2) if even else rng.uniform(0.05, 0.35, length)
        t, (a, s, f) = steps.cumsum() - steps[0], rng.uniform(0.5, 1.5, 3)
        force = f * np.cos(0.6 * t) if driven else 0 * t
        gain = 1 / (w**2 - 0.36)
        q = a * np.cos(w * t + s) + gain * force
        p = -a * w * np.sin(w * t + s) - (gain * f * 0.6 * np.sin(0.6 * t) if driven else 0)
        dxdt = np.stack([p, -(w**2) * q + force], -1) if derivatives else None
        return Trajectory(t, np.stack([q, p], -1), dxdt, force[:, None] if driven else None)

    return Member(tuple(map(trajectory, lengths)))


class Measured(Source):
    """Oscillators."""

    def __init__(self, system, origin, folder, note, states, inputs, derivatives, ragged, support_trajectories):
        every = [[9, 14, 25], [30, 4, 12], [8, 8, 8], [20, 11, 6]] if ragged else [[12] * 3] * 4
        train, test = (
            [member(first + n, every[n % 4], derivatives, bool(inputs), not ragged) for n in range(count)]
            for first, count in ((0, 8), (100, 3))
        )
        super().__init__("oscillators", states, train, test, support_trajectories, input_names=inputs)
'''
YAML = """
defaults:
  - override /system@_global_.system: null
_target_: measured_source.Measured
name: measured
states: [q, p]
inputs: []
derivatives: true
ragged: false
support_trajectories: 2
facts:
  only_measured: [support_trajectories]
"""
OBJECTIVE = '''
import torch
from metastruct.objectives.objective import Objective


class Chords(Objective):
    """One step of the trapezoidal rule."""

    reads = ("states", "times", "inputs")
    requires = ("states", "times")
    window = 2

    def residual(self, model, observations, codes):
        field = model.vector_field(observations.states, codes, observations.inputs).unflatten(-2, (-1, 2))
        x, t = (values.unflatten(-2, (-1, 2)) for values in (observations.states, observations.times))
        slope = (x[..., 1, :] - x[..., 0, :]) / (t[..., 1, :] - t[..., 0, :])
        residual = (field.mean(-2) - slope) / model.dynamics.derivative_std
        if observations.mask is not None:
            residual = residual * observations.mask.unflatten(-1, (-1, 2))[..., :1]
        return residual.flatten(-2)
'''
CHORDS = "_target_: chords_objective.Chords\nname: chords\n"
TINY = ("net.width=6", "modulation.code_dim=2", "trainer.steps=20", "trainer.steps_per_epoch=10", "shots=20")


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A folder of yamls more, with a source and an objective whose classes lie beside it."""
    folder = tmp_path_factory.mktemp("extended")
    for group, name, text in (("data", "measured", YAML), ("objective", "chords", CHORDS)):
        (folder / "conf" / group).mkdir(parents=True)
        (folder / "conf" / group / f"{name}.yaml").write_text(text)
    (folder / "measured_source.py").write_text(SOURCE)
    (folder / "chords_objective.py").write_text(OBJECTIVE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "")
        patch.syspath_prepend(str(folder))
        metastruct.add_conf(folder / "conf")
        yield
    for module in ("measured_source", "chords_objective"):
        sys.modules.pop(module, None)


def made(outputs: Path, *words: str) -> Path:
    cfg = composed("data=measured", "dynamics=unstructured", *TINY, "logger=none", f"outputs={outputs}", *words)
    return run(cfg).path


CASES = {
    "states and derivatives": ("dynamics=hamiltonian",),
    "ragged": ("data.ragged=true", "adaptation=levenberg_marquardt"),
    "driven": ("data.inputs=[force]", "adaptation=levenberg_marquardt"),
    "driven and ragged": ("data.inputs=[force]", "data.ragged=true"),
    "states alone": ("data.derivatives=false", "objective=chords", "dynamics=hamiltonian"),
    "states alone, driven and ragged": (
        *("data.derivatives=false", "data.inputs=[force]", "data.ragged=true"),
        *("objective=chords", "adaptation=levenberg_marquardt"),
    ),
}


def cases() -> list:
    """The first and the last, which has everything; those between are torture."""
    first, *between, last = (pytest.param(words, id=name) for name, words in CASES.items())
    return [first, *(pytest.param(*case.values, id=case.id, marks=pytest.mark.torture) for case in between), last]


@pytest.mark.few(1)
@pytest.mark.usefixtures("extended")
@pytest.mark.parametrize("words", cases())
def test_members_that_nobody_simulated_are_learned_measured_and_drawn(tmp_path, words):
    folder = made(tmp_path, *words)
    archive = Archive.load(folder / "evaluation.npz")
    seen = ~np.isnan(archive.query)
    assert np.isfinite(archive.rollouts[seen]).all()
    assert seen.all() == ("data.ragged=true" not in words)
    assert folder.name.startswith("measured-svd5-seed0-")
    drawn = {path.stem for path in (folder / "figures").iterdir()}
    assert {"phase_portrait", "adaptation", "training"} <= drawn
    assert "field_error" not in drawn, "nobody knows the true field"
    metrics = json.loads((folder / "metrics.json").read_text())
    observed = {name for name in ("observed_field_error", "observed_coverage_95") if name in metrics}
    assert len(observed) == (0 if "data.derivatives=false" in words else 2)
    assert all(np.isfinite(metrics[name]["per_task"]).all() for name in (*observed, "trajectory_error"))
    model = metastruct.load(folder)
    assert model.state_dim == 2


@pytest.mark.usefixtures("extended")
@pytest.mark.torture
def test_members_that_nobody_simulated_are_learned_well_and_their_line_in_a_table_says_what_they_are(tmp_path):
    better = ("trainer.steps=600", "trainer.steps_per_epoch=100", "modulation.scale=0.3")
    folder, rough = (made(tmp_path, "data.inputs=[force]", "data.ragged=true", *words) for words in (better, ()))
    errors = [json.loads((path / "metrics.json").read_text())["observed_field_error"] for path in (folder, rough)]
    assert errors[0]["mean"] < 0.5 * errors[1]["mean"]
    cfg = configuration_of(RunFolder(folder))
    assert Outline(2, 1) == outline_of(cfg, None)
    job = SimpleNamespace(settings=cfg, table="t", label="l", seed=0, method="svd(5)", learner="l", dynamics="d")
    line = described(job, json.loads((folder / "metrics.json").read_text()))
    assert (line["system"], line["noise"], line["train_tasks"]) == ("measured", "", "")


@pytest.mark.torture
@pytest.mark.usefixtures("extended")
def test_a_driven_member_is_adapted_and_rolled_out_from_python(tmp_path):
    model = metastruct.load(made(tmp_path, "data.inputs=[force]", "adaptation=levenberg_marquardt"))
    t = np.linspace(0, 3, 16)
    x, force = np.stack([np.sin(t), np.cos(t)], -1), np.cos(0.6 * t)[:, None]
    dxdt = np.stack([np.cos(t), -np.sin(t)], -1)
    member = model.adapt(x, dxdt, inputs=force)
    field, std = member.vector_field(x, std=True, inputs=[0.3])
    np.testing.assert_allclose(field, member.vector_field(x, inputs=[0.3]))
    assert (std > 0).all()
    assert not np.allclose(field, member.vector_field(x, inputs=[-0.3])), "the input does nothing"
    path = member.rollout(x[0], t, inputs=force)
    np.testing.assert_array_equal(member.rollout(x[0], t, inputs=(t, force)), path)
    between = np.sort(np.concatenate([t, (t[1:] + t[:-1]) / 2]))
    finer = between, np.interp(between, t, force[:, 0])[:, None]
    np.testing.assert_allclose(member.rollout(x[0], t, inputs=finer), path, rtol=1e-3, atol=1e-3)
    held = member.rollout(x[0], t, inputs=(t, force), held=True)
    constant = member.rollout(x[0], t, inputs=np.broadcast_to(force[:1], force.shape))
    np.testing.assert_allclose(held[1], constant[1], rtol=1e-9)
    assert not np.allclose(held, path)
    for std in (False, True):
        assert np.shape(member.forecast(x[0], t, std, inputs=finer, held=True)[-1])[-1] == x.shape[-1]
    with pytest.raises(ValueError, match=r"inputs must have the shape"):
        member.rollout(x[0], t, inputs=(t[:-1], force))
    assert path.shape == x.shape
    assert np.isfinite(path).all()
    for call in (lambda: model.adapt(x, dxdt), lambda: member.vector_field(x), lambda: member.rollout(x[0], t)):
        with pytest.raises(ValueError, match="inputs"):
            call()


@pytest.mark.few(3)
@pytest.mark.usefixtures("extended")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("data.derivatives=false",), "objective=derivatives needs derivatives, which the data do not have"),
        (("data.inputs=[force]", "dynamics=hamiltonian"), "takes no inputs, got 1; leave them out or use dynamics="),
        (
            ("data.support_trajectories=3",),
            "test member 0 must have at least 4 trajectories: 3 of support and the query",
        ),
        (("start=in_box",), "start=in_box needs a system whose trajectories start so, got data=measured"),
        (("evaluation.metrics=[field_error]",), "field_error, which needs a known vector field .* got data=measured"),
        (("data.states=[q,p,s]",), "train member 0 must have 3 states, as the others, got 2"),
        (("data.states=[]",), r"data=measured must name its states in a list such as states: \[q, p\]"),
        (
            ("data=simulated", "~system"),
            "needs a system whose law is integrated, got no system; use data=files or measured",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_such_data_lack_is_told_in_one_line_before_anything_is_written(tmp_path, words, told):
    with pytest.raises(ConfigError, match=told):
        made(tmp_path / "outputs", *words)
    assert not list(tmp_path.glob("outputs/*/config.yaml"))
