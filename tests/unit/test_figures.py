"""Figures of members of any kind: ragged, unseen, lost, of one component, one of each, without law or parameters."""

from __future__ import annotations

import warnings
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from metastruct.evaluation.archive import Archive
from metastruct.evaluation.figures import fields
from metastruct.evaluation.figures import run as figures

TASKS, TRAJECTORIES, INSTANTS = 3, 2, 6


def archive(states: int = 2, tasks: int = TASKS, train: int = 4, parameters: int = 1) -> Archive:
    """Smooth trajectories, adapted ones a little off, all of them seen at the same times."""
    rng = np.random.default_rng(0)
    times = np.linspace(0, 1, INSTANTS)
    query = rng.normal(size=(tasks, TRAJECTORIES, 1, states)) * np.cos(times)[:, None]
    along, size = (tasks, TRAJECTORIES, INSTANTS), (tasks,)
    return Archive(
        state_names=np.array(["q", "p", "s"][:states]),
        parameter_names=np.array(["m", "l"][:parameters], dtype=str),
        test_members=np.array([f"member {number}" for number in range(tasks)]),
        test_domains=np.array(["measured"] * tasks),
        test_parameters=rng.uniform(size=(tasks, parameters)),
        test_codes=rng.normal(size=(tasks, 3)),
        trace=rng.uniform(0.1, 1, (5, tasks)),
        times=times,
        query=query,
        rollouts=query + 0.01,
        grid_axes=np.array([0, min(1, states - 1)]),
        train_domains=np.array(["measured"] * train),
        train_parameters=rng.uniform(size=(train, parameters)),
        train_codes=rng.normal(size=(train, 3)),
        history=np.array([[1.0, 0.5], [2.0, 0.25]]),
        learned_energy=rng.normal(size=along),
        learned_energy_range=rng.uniform(1, 2, size),
        learned_entropy=rng.normal(size=along),
        singular_values={"net.0": rng.uniform(size=(train, 2))},
    )


def ragged() -> Archive:
    """Times of a clock, of each trajectory its own; the first ends early, of the other members one was never there."""
    whole = archive()
    times = 1e6 + np.random.default_rng(1).uniform(0.1, 1, whole.query.shape[:3]).cumsum(-1)
    query = whole.query.copy()
    query[0, 0, 3:], query[1:, 1] = np.nan, np.nan
    times[0, 0, 3:], times[1:, 1] = times[0, 0, 2], 0.0
    return replace(whole, times=times, query=query)


def lost() -> Archive:
    """Every rollout left, and the training diverged."""
    whole = archive()
    gone = {
        name: np.full_like(getattr(whole, name), np.nan)
        for name in ("rollouts", "trace", "train_codes", "test_codes", "learned_energy", "learned_energy_range")
    }
    return replace(whole, **gone)


KINDS = {
    "even": archive,
    "ragged": ragged,
    "lost": lost,
    "one component": lambda: archive(states=1),
    "three components": lambda: archive(states=3),
    "one of each": lambda: archive(tasks=1, train=1),
    "nobody knows the parameters": lambda: archive(parameters=0),
    "all at rest": lambda: replace(
        archive(), learned_energy_range=np.zeros(TASKS), learned_entropy=0 * np.ones((3, 2, 6))
    ),
    "no training": lambda: replace(archive(), history=np.empty((0, 2)), train_codes=np.zeros((0, 3))),
}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.few(3)
@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_drawn(kind, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "save", lambda figure, path: (figure.canvas.draw(), drawn.append(path.stem)))
    KINDS[kind]().save(tmp_path / "evaluation.npz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.draw_all(tmp_path / "evaluation.npz", tmp_path)
    assert {"phase_portrait", "adaptation", "energy", "entropy", "singular_values"} <= {*drawn}
    assert ("training" in drawn) == (kind != "no training")
    assert ("codes" in drawn) == (kind not in ("no training", "lost"))


def lines(figure) -> list[np.ndarray]:
    return [line.get_xydata() for axis in figure.axes for line in axis.lines]


def test_nothing_is_drawn_where_a_trajectory_was_not_seen():
    whole, some = archive(), ragged()
    for draw in (figures.phase_portrait, figures.energy, figures.entropy):
        shown = lines(draw(some))
        assert all(np.isfinite(line).all() for line in shown)
        assert len(shown) < len(lines(draw(whole))) or draw is not figures.phase_portrait
    assert min(line[:, 0].min() for line in lines(figures.energy(some))) > 1e6
    assert sorted({len(line) for line in lines(figures.phase_portrait(some))}) == [1, 3, INSTANTS]


def test_a_state_of_one_component_is_drawn_over_time():
    one = archive(states=1)
    np.testing.assert_array_equal(lines(figures.phase_portrait(one))[0][:, 0], one.times)


def test_a_field_is_drawn_over_space_and_time_beside_its_difference():
    sites = 16
    few = archive()
    shape = *few.query.shape[:3], 2 * sites
    query = np.random.default_rng(0).normal(size=shape)
    names = np.array([f"{field}{site}" for field in "qp" for site in range(sites)])
    whole = replace(few, state_names=names, query=query, rollouts=query + np.arange(2 * sites))
    assert not fields.fields_of(few)
    assert {name: places.tolist() for name, places in fields.fields_of(whole).items()} == {
        "q": [*range(sites)],
        "p": [*range(sites, 2 * sites)],
    }
    shown = [axis.collections[0].get_array() for axis in fields.space_time(whole).axes[:9]]
    for difference in shown[2::3]:
        np.testing.assert_allclose(difference, np.tile(np.arange(sites), (INSTANTS, 1)))
