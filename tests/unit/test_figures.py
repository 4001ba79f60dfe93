"""Figures of members of any kind: ragged, unseen, lost, of one component, one of each, without law or parameters."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from metastruct.data.family import Family
from metastruct.evaluation.archive import Archive
from metastruct.evaluation.figures import fields, observations
from metastruct.evaluation.figures import run as figures
from metastruct.evaluation.figures.members import LEARNED, SAFE, SUPPORT, TRUE

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
        support=rng.normal(size=(tasks, 4, states)),
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
    monkeypatch.setattr(figures, "save", lambda figure, *paths: (figure.canvas.draw(), drawn.append(paths[0].stem)))
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
    for draw in (figures.portraits.phase_portrait, figures.energy, figures.entropy):
        shown = lines(draw(some))
        assert all(np.isfinite(line).all() for line in shown)
        assert len(shown) < len(lines(draw(whole))) or draw is not figures.portraits.phase_portrait
    assert min(line[:, 0].min() for line in lines(figures.energy(some))) > 1e6
    sizes = {len(line) for line in lines(figures.portraits.phase_portrait(some))}
    assert sizes == {1, 3, INSTANTS, some.support.shape[1]}


def test_the_observations_that_a_member_was_adapted_to_are_points_of_its_portrait():
    whole = archive(states=3)
    whole.support[1, 2:] = np.nan  # a member that has fewer
    for task, axis in zip(figures.portraits.chosen(whole).values(), portraits(whole), strict=True):
        np.testing.assert_array_equal(axis.lines[0].get_xydata(), whole.support[task, : 2 if task == 1 else 4, :2])


def portraits(whole: Archive) -> list:
    return figures.portraits.phase_portrait(whole).axes[:3]


def test_a_portrait_hides_an_error_of_the_phase_that_stands_below_it():
    late = replace(archive(), rollouts=np.roll(archive().query, 1, axis=2))
    axes = figures.portraits.phase_portrait(late).axes
    true, adapted = (axes[3].lines[n].get_ydata() for n in (0, 1))
    assert {*true} == {*adapted}
    assert not np.allclose(true, adapted)
    assert [axes[n].get_ylabel() for n in (3, 6)] == ["q", "p"]


def test_units_stand_on_the_axes():
    named = replace(archive(), state_labels=np.array(["q (rad)", "p"]), time_label=np.array(["t (s)"]))
    axes = figures.portraits.phase_portrait(named).axes
    assert (axes[0].get_xlabel(), axes[3].get_ylabel(), axes[6].get_xlabel()) == ("q (rad)", "q (rad)", "t (s)")
    assert figures.energy(named).axes[0].get_xlabel() == "t (s)"


def test_figures_are_written_in_every_format_with_the_same_bytes_and_move(tmp_path):
    few = replace(archive(), history=np.empty((0, 2)), learned_energy=None, learned_entropy=None, singular_values={})
    few.save(tmp_path / "evaluation.npz")
    for name in ("one", "two"):
        figures.draw_all(tmp_path / "evaluation.npz", tmp_path / name, ("png", "pdf", "svg"), animation=name == "one")
    for path in (tmp_path / "two").iterdir():
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes(), path.name
    assert {path.suffix for path in (tmp_path / "two").iterdir()} == {".png", ".pdf", ".svg"}
    assert figures.drawn(tmp_path / "one", ("svg",), animation=True)
    assert not figures.drawn(tmp_path / "two", ("svg",), animation=True)
    assert Image.open(tmp_path / "one" / "motion.gif").n_frames == INSTANTS


SIGHT = {  # linear RGB as it is seen without one kind of cone (Machado, Oliveira and Fernandes 2009)
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def nearest(colours: Sequence[str], sight: str) -> float:
    """The least distance of two colours as they are seen, of three numbers from 0 to 1."""
    linear = np.array([to_rgb(colour) for colour in colours]) ** 2.2
    seen = np.clip(linear @ np.array(SIGHT[sight]).T, 0, 1) ** (1 / 2.2)
    return min(np.linalg.norm(a - b) for a, b in combinations(seen, 2))


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_stay_apart_for_the_colour_blind(sight):
    assert nearest(SAFE, sight) > 0.1
    assert nearest((TRUE, LEARNED, SUPPORT), sight) > 0.3


def test_colours_that_are_seen_alike_would_be_found():
    assert nearest(mpl.rcParamsDefault["axes.prop_cycle"].by_key()["color"], "protanopia") < 0.1


def test_a_state_of_one_component_is_drawn_over_time():
    one = archive(states=1)
    np.testing.assert_array_equal(lines(figures.portraits.phase_portrait(one))[0][:, 0], one.times)


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


def captured(draw, *arguments, monkeypatch, module) -> list:
    """The figures that something saves."""
    figures: list = []
    monkeypatch.setattr(module, "save", lambda figure, *paths: figures.append(figure))
    draw(*arguments)
    return figures


def test_what_nobody_knows_is_called_observed_and_not_true():
    legends = []
    for residuals in (None, archive().query):
        (legend,) = figures.portraits.phase_portrait(replace(archive(), residuals=residuals)).legends
        legends.append([text.get_text() for text in legend.get_texts()])
    assert legends == [["adapted to", "true", "adapted"], ["adapted to", "observed", "adapted"]]


def test_no_two_members_of_measured_data_have_one_colour(monkeypatch, tmp_path):
    members = {f"member {number}": [(np.arange(4.0), np.eye(4)[:, :2] + number)] for number in range(12)}
    family = Family.from_arrays(members, states=["q", "p"])
    (figure,) = captured(observations.draw, family, tmp_path / "x.png", monkeypatch=monkeypatch, module=observations)
    colours = {line.get_label(): line.get_color() for line in figure.axes[0].lines}
    assert len(colours) == len({*colours.values()}) == len(SAFE)
    assert f"{len(SAFE)} of 12 members" in figure.legends[0].get_title().get_text()


@pytest.mark.parametrize(
    ("tasks", "words"), [(1, ["the only"]), (2, ["best", "worst"]), (5, ["best", "median", "worst"])]
)
def test_no_member_is_drawn_twice(tasks, words):
    whole = archive(tasks=tasks)
    titles = [axis.get_title() for axis in figures.portraits.phase_portrait(whole).axes]
    assert [title.split(" of ")[0] for title in titles if title] == words
    assert len({title.splitlines()[1] for title in titles if title}) == len(words)


def test_a_band_of_which_nothing_is_known_any_more_leaves_its_panel():
    axis = plt.figure().add_subplot()
    times, path = np.arange(10.0), np.sin(np.arange(10.0))
    figures.forecasts.band(axis, times, path, path, np.where(times < 5, 0.1, np.nan))
    (band,) = axis.collections
    heights = band.get_paths()[0].vertices
    assert np.isfinite(heights).all()
    late = heights[(heights[:, 0] > 6) & (heights[:, 0] < 9), 1]
    assert late.max() > axis.get_ylim()[1]
    assert late.min() < axis.get_ylim()[0]


def test_lags_are_whole_numbers_of_samples():
    whole = archive()
    figure = figures.forecasts.residuals(replace(whole, residuals=whole.query, noise=np.ones(2)))
    ticks = figure.axes[1].get_xticks()
    assert np.array_equal(ticks, ticks.round())


def test_singular_values_of_many_sites_stand_below_each_other():
    values = {f"net.{site}": np.random.default_rng(0).uniform(size=(4, 2)) for site in range(7)}
    figure = figures.singular_values(replace(archive(), singular_values=values))
    assert len(figure.axes) == 7
    assert {axis.get_title() for axis in figure.axes} == {*values}
    width, height = figure.get_size_inches()
    assert width <= 10 < 3.2 * 7
    assert height > 6
