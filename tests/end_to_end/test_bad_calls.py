"""Whatever is handed to the interface is taken as it is meant, or refused at once by the name of its argument."""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from omegaconf import OmegaConf

import metastruct
from metastruct.config.schema import composed
from metastruct.data.shots import whole

PATIENCE = 5.0  # seconds of the processor that a refusal may take
X = np.random.default_rng(0).normal(size=(30, 2))
DXDT = np.stack([X[:, 1], -6 * np.sin(X[:, 0])], -1)
START, TIMES = X[0], np.arange(30.0)
pytestmark = pytest.mark.filterwarnings("ignore")


class Odd:
    """What claims to be an array and is none."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no array")


ARRAYS: dict[str, Any] = {
    "a number": 5,
    "a word": "abc",
    "bytes": b"abc",
    "words": ["1", "2"],
    "words in lists": [["1", "2"]],
    "a mapping": {"q": 1},
    "a set": {1.0, 2.0},
    "an empty list": [],
    "NaN": X * np.nan,
    "one NaN": np.where(np.arange(60).reshape(30, 2) == 7, np.nan, X),
    "infinity": X * np.inf,
    "1e300": X * 1e300,
    "1e150": X * 1e150,
    "complex numbers": X + 0j,
    "a complex list": [[1j, 2]],
    "None in it": np.array([[None, 1.0]]),
    "a word in it": np.array([["a", 1.0]], dtype=object),
    "truth values": X > 0,
    "dates": np.array([["2020-01-01", "2020-01-02"]], dtype="datetime64[D]"),
    "time spans": np.ones((3, 2), "timedelta64[s]"),
    "three components": np.ones((30, 3)),
    "one component": np.ones((30, 1)),
    "ragged lists": [[1, 2], [3]],
    "another shape": np.ones((2, 3, 4)),
    "records": np.zeros(3, [("a", float), ("b", float)]),
    "a mask": np.ma.masked_array(X, X > 0),
    "no array": Odd(),
    "a generator": (number for number in range(3)),
    "a function": len,
    "lists as objects": np.array([[1, 2], [3]], dtype=object),
    "more digits": X.astype(np.longdouble) + np.longdouble(1e-19),
    "a long integer": [[2**70 + 1, 1]],
    "a type": int,
    "words in an array": np.array([["1", "2"]]),
    "deep lists": [[[1, 2], [3, 4]], [[1, 2]]],
    "raw bytes": np.zeros((3, 2), "V8"),
}
Call = Callable[[Any, Any, Any, Any], Any]  # of a model, a member, members and a value
CALLS: dict[str, tuple[str, Call]] = {  # with what the refusal names
    "adapt states": ("states", lambda model, member, many, a: model.adapt(a, DXDT)),
    "adapt dxdt": ("dxdt", lambda model, member, many, a: model.adapt(X, a)),
    "adapt times": ("times", lambda model, member, many, a: model.adapt(X, DXDT, times=a)),
    "adapt inputs": ("inputs", lambda model, member, many, a: model.adapt(X, DXDT, inputs=a)),
    "adapt_many": ("observations|member|states", lambda model, member, many, a: model.adapt_many(a)),
    "adapt_many states": ("states", lambda model, member, many, a: model.adapt_many([(a, DXDT)])),
    "update": ("states", lambda model, member, many, a: member.update(a, DXDT)),
    "vector_field": ("x", lambda model, member, many, a: member.vector_field(a)),
    "vector_field inputs": ("inputs", lambda model, member, many, a: member.vector_field(START, inputs=a)),
    "energy": ("x", lambda model, member, many, a: member.energy(a)),
    "energy_difference": ("y", lambda model, member, many, a: member.energy_difference(START, a)),
    "interval": ("x", lambda model, member, many, a: member.interval(a)),
    "rollout": ("x0", lambda model, member, many, a: member.rollout(a, [0, 0.1])),
    "rollout times": ("times", lambda model, member, many, a: member.rollout(START, a)),
    "rollout inputs": ("inputs", lambda model, member, many, a: member.rollout(START, [0, 0.1], a)),
    "forecast times": ("times", lambda model, member, many, a: member.forecast(START, a, std=True)),
    "members": ("x", lambda model, member, many, a: many.vector_field(a)),
    "members rollout": ("x0", lambda model, member, many, a: many.rollout(a, [0, 0.1])),
    "from_arrays": ("member|trajectory", lambda model, member, many, a: metastruct.Family.from_arrays(a)),
    "from_arrays times": ("times|trajectory", lambda model, member, many, a: family([[(a, X)]])),
    "from_arrays states": ("states|x0|trajectory", lambda model, member, many, a: family([[(TIMES, a)]])),
    "from_arrays labels": ("labels", lambda model, member, many, a: family([[(TIMES, X)]], labels=a)),
    "from_arrays label": ("labels", lambda model, member, many, a: family([[(TIMES, X)]], labels={"m": a})),
    "from_frame": ("frame", lambda model, member, many, a: metastruct.Family.from_frame(a, ["q", "p"])),
    "from_frame column": ("frame", lambda model, member, many, a: metastruct.Family.from_frame(frame(a), ["q", "p"])),
}
LAWFUL = {  # what is no mistake there
    ("from_arrays states", "one NaN"),
    ("from_arrays states", "three components"),
    ("from_arrays states", "one component"),
    ("from_arrays labels", "an empty list"),
    ("from_frame column", "words"),
}


def family(*arguments: Any, **words: Any) -> metastruct.Family:
    return metastruct.Family.from_arrays(*arguments, **words)


def frame(column: Any) -> dict[str, Any]:
    return {"member": ["a"] * 30, "trajectory": ["b"] * 30, "t": TIMES, "q": column, "p": X[:, 0]}


@pytest.fixture(scope="module")
def subjects(first_run) -> tuple[Any, Any, Any]:
    """A model, a member of it and several."""
    model = metastruct.load(first_run[0].path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model, model.adapt(X, DXDT), model.adapt_many([(X, DXDT)] * 3)


def refused(call: Callable[[], Any], name: str) -> None:
    """In one line, at once, by the name of what was wrong."""
    began = time.process_time()
    with pytest.raises(ValueError, match=rf"\b({name})") as refusal:
        call()
    assert "\n" not in str(refusal.value)
    assert time.process_time() - began < PATIENCE


@pytest.mark.few(7)
@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_array_of_numbers_is_refused_by_the_name_of_its_argument(subjects, call):
    name, function = CALLS[call]
    for kind, value in ARRAYS.items():
        if (call, kind) not in LAWFUL:
            refused(lambda value=value: function(*subjects, value), name)  # type: ignore[misc]


WORDS = (5, 5.5, [], {}, "", "x", b"x", True, object(), "fine_tuning", "descent", "from_scratch", "../x", ["gradient"])
NAMES: dict[str, tuple[str, Call]] = {
    "adapt": ("adaptation", lambda model, member, many, word: model.adapt(X, DXDT, adaptation=word)),
    "update": ("adaptation", lambda model, member, many, word: member.update(X, DXDT, adaptation=word)),
    "adapt_many": ("adaptation", lambda model, member, many, word: model.adapt_many([(X, DXDT)], word)),
    "level": ("level", lambda model, member, many, word: member.interval(X, level=word)),
    "export": ("exported|path", lambda model, member, many, word: member.export(word)),
    "save": ("kept|path", lambda model, member, many, word: member.save(word)),
    "load_member": ("kept|path", lambda model, member, many, word: metastruct.load_member(word)),
    "load_members": ("kept|path", lambda model, member, many, word: metastruct.load_members(word)),
    "fit": ("fit", lambda model, member, many, word: metastruct.fit(word)),
}


@pytest.mark.parametrize("call", NAMES)
def test_a_word_or_anything_else_that_names_nothing_is_refused(subjects, call):
    name, function = NAMES[call]
    for word in WORDS:
        refused(lambda word=word: function(*subjects, word), name)  # type: ignore[misc]


NOT_A_NUMBER = (None, "5", [1], {"a": 1}, 1j, object(), float("nan"), float("inf"), 1e300, 10**30, -1, np.array([1, 2]))
SETTINGS: dict[tuple[str, str], tuple[Any, ...]] = {
    ("gradient", "steps"): (2.5, 0, 10**9, True, np.float64(2.5)),
    ("gradient", "learning_rate"): (0, "fast"),
    ("gradient", "lambda_z"): ("x",),
    ("levenberg_marquardt", "steps"): (2.5, 0),
    ("levenberg_marquardt", "tolerance"): (0, "x"),
    ("levenberg_marquardt", "damping"): (0,),
    ("levenberg_marquardt", "starts"): (1.5, 10**12),
    ("levenberg_marquardt", "screening"): (0, 10**15),
}


@pytest.mark.few(4)
@pytest.mark.parametrize(("adaptation", "setting"), SETTINGS)
def test_a_setting_without_sense_is_refused_by_its_name(subjects, adaptation, setting):
    for value in (*NOT_A_NUMBER, *SETTINGS[adaptation, setting]):
        refused(lambda value=value: subjects[0].adapt(X, DXDT, adaptation, **{setting: value}), setting)  # type: ignore[misc]


FORGETTING = (None, "1", [], -0.1, 1.1, float("nan"), float("inf"), True, 1j)


@pytest.mark.parametrize("forgetting", FORGETTING, ids=repr)
def test_what_is_no_share_is_refused(subjects, forgetting):
    refused(lambda: subjects[1].update(X, DXDT, forgetting=forgetting), "forgetting")


NOISE = (-1, float("nan"), float("inf"), "x", [1, 1, 1], [[0.1, 0.1]], 1j, True, 1e300, {}, [0, float("nan")], X)


@pytest.mark.parametrize("argument", ["noise", "dxdt_noise", "start_std"])
def test_what_is_no_standard_deviation_is_refused(subjects, argument):
    model, member, _ = subjects
    for value in NOISE:
        if argument == "start_std":
            refused(lambda value=value: member.forecast(START, [0, 0.1], True, start_std=value), argument)  # type: ignore[misc]
        else:
            refused(lambda value=value: model.adapt(X, DXDT, **{argument: value}), argument)  # type: ignore[misc]


class Nameless:
    """What cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no name")


STRANGE = (Nameless(), np.zeros((2, 2, 2, 2)), np.array("x"), Exception("a\nb"), np.ma.masked_array([[1, 2]], [[0, 1]]))


@pytest.mark.parametrize("value", STRANGE, ids=[f"{type(value).__name__}{n}" for n, value in enumerate(STRANGE)])
def test_what_fills_several_lines_is_told_in_one(subjects, value):
    model = subjects[0]
    refused(lambda: model.observations(value), "family")
    refused(lambda: model.adapt(X, DXDT, value), "adaptation")
    refused(lambda: metastruct.add_conf(value), "must be a folder")
    for role in ("states", "labels", "member", "time", "units"):
        words = {"states": ["q", "p"], role: value}
        refused(lambda words=words: metastruct.Family.from_files("x.csv", **words), role)  # type: ignore[misc]


LONG = ([0, 1e12], [0, 1e308], [-1e308, 1e308], [0, 8.64e6], [0, 0], [1, 0], [1e16, 1e16 + 1], np.arange(2e6), [0, 1j])


@pytest.mark.parametrize("method", ["rollout", "forecast", "members"])
def test_times_that_nobody_waits_for_are_refused(subjects, method):
    _, member, many = subjects
    call = {"rollout": member.rollout, "forecast": member.forecast, "members": many.rollout}[method]
    start = np.stack([START] * 3) if method == "members" else START
    for times in LONG:
        refused(lambda times=times: call(start, times), "times|rollout")  # type: ignore[misc]


@pytest.mark.parametrize("size", [1e20, 1e49])
def test_a_fit_that_explains_nothing_says_so(subjects, size):
    with pytest.warns(UserWarning, match="the observations are not explained"):
        subjects[0].adapt(X, size * DXDT)
    with pytest.warns(UserWarning, match="1 of 2 members .*the observations are not explained"):
        subjects[0].adapt_many([(X, 0.1 * DXDT), (X, size * DXDT)])


def test_a_fit_that_leaves_the_finite_numbers_is_no_member(subjects, monkeypatch):
    model, _, _ = subjects
    adaptation = model._adaptation("gradient", {"steps": 5})
    fit = adaptation.fit(*_arguments(model))
    monkeypatch.setattr(type(adaptation), "fit", lambda *_: replace(fit, codes=fit.codes * float("nan")))
    refused(lambda: model.adapt(X, DXDT, "gradient", steps=5), "states")


def _arguments(model: Any) -> tuple[Any, ...]:
    """What an adaptation takes of a model and of these observations."""
    objective = model.trained.objective.fitting(30)
    observed = whole([model._reading.member(X, DXDT)], objective.request)
    return model.trained.model, objective, observed, model.trained.start(1, "mean"), model._prior


NUMBERS = st.one_of(
    arrays_of.floating_dtypes(),
    arrays_of.integer_dtypes(),
    arrays_of.complex_number_dtypes(),
    arrays_of.boolean_dtypes(),
    arrays_of.unicode_string_dtypes(max_len=3),
    arrays_of.byte_string_dtypes(max_len=3),
    arrays_of.datetime64_dtypes(),
    arrays_of.timedelta64_dtypes(),
    st.just(np.dtype(object)),
)
SHAPES = st.one_of(
    arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    st.tuples(st.integers(0, 5), st.just(2)),
)
ANYTHING = st.one_of(
    st.builds(lambda *parts: parts, NUMBERS, SHAPES).flatmap(
        lambda parts: arrays_of.arrays(
            parts[0], parts[1], elements=st.text(max_size=2) if parts[0].kind == "O" else None
        )
    ),
    st.recursive(
        st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=2), st.booleans()), st.lists, max_leaves=6
    ),
)
FIX = re.compile(r".*(must|needs|reads|driven|as many points|inputs are for|has none).*")
TAKING = sorted({*CALLS} - {"rollout times", "forecast times"} - {name for name in CALLS if name.startswith("from_")})


def test_the_bad_calls_are_counted():
    """Beside those that hypothesis draws: 375 at least in `make torture`."""
    settings_of_adaptations = sum(len(NOT_A_NUMBER) + len(more) for more in SETTINGS.values())
    counts = {
        "arrays": len(CALLS) * len(ARRAYS) - len(LAWFUL),
        "names": len(NAMES) * len(WORDS),
        "settings": settings_of_adaptations,
        "shares": len(FORGETTING),
        "standard deviations": 3 * len(NOISE),
        "times": 3 * len(LONG),
    }
    assert sum(counts.values()) >= 1_200, counts


@pytest.mark.parametrize("examples", [25, pytest.param(1_500, marks=pytest.mark.torture)])
def test_whatever_an_array_holds_it_is_answered_with_finite_numbers_or_refused(subjects, examples):
    tally = {"answered": 0, "refused": 0}

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck]
    )
    @given(st.sampled_from(TAKING), ANYTHING)
    def tried(call: str, value: Any) -> None:
        result, problem = (), ""
        try:
            result = CALLS[call][1](*subjects, value)
        except ValueError as error:
            problem = str(error)
        tally["refused" if problem else "answered"] += 1
        assert not problem or FIX.fullmatch(problem), problem
        for part in result if isinstance(result, tuple) else (result,):
            numbers = part.code if hasattr(part, "code") else part.codes if hasattr(part, "codes") else part
            assert np.isfinite(np.asarray(numbers, dtype=float)).all()

    tried()
    assert tally["refused"] > examples / 4


def resident() -> float:
    """Memory of this process in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.torture
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_many_adaptations_and_rollouts_grow_no_memory(subjects):
    def call(number: int) -> None:
        subjects[0].adapt(X[: 5 + number % 20], DXDT[: 5 + number % 20]).rollout(
            START, np.linspace(0, 1, 3 + number % 5)
        )

    for number in range(20):
        call(number)
    before = resident()
    for number in range(300):
        call(number)
    assert resident() - before < 20


@pytest.mark.parametrize("inference", [False, True])
def test_a_guest_leaves_the_random_numbers_and_works_in_any_mode(first_run, inference):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    with torch.inference_mode(inference):
        member = metastruct.load(first_run[0].path).adapt(X, DXDT)
        assert np.isfinite(member.rollout(START, [0, 0.1])).all()
    assert torch.equal(torch.random.get_rng_state(), before)


RESOLVERS = ("given", "where", "preferred", "systems_named", "one_or_several", "content_of", "temporary_folder")


def test_a_guest_leaves_the_resolvers_and_the_store_of_an_application(first_run, monkeypatch):
    theirs = {name: lambda *words, name=name: f"their {name} of {words}" for name in RESOLVERS}
    for name, resolver in theirs.items():
        OmegaConf.register_new_resolver(name, resolver)  # refused where somebody else has it
    monkeypatch.setattr(ConfigStore, "store", lambda *_, **__: pytest.fail("it is not ours"))
    try:
        metastruct.load(first_run[0].path).adapt(X, DXDT, adaptation="gradient")
        for name in RESOLVERS:
            assert OmegaConf.create({"a": f"${{{name}:x,y}}"}).a == f"their {name} of ('x', 'y')"
    finally:
        for name in RESOLVERS:
            OmegaConf.clear_resolver(name)


def test_a_guest_leaves_the_hydra_of_an_application(tmp_path):
    (tmp_path / "theirs.yaml").write_text("a: 1\n")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        composed("logger=none")
        assert compose("theirs").a == 1
    assert "schema.yaml" not in ConfigStore.instance().repo
