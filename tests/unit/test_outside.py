"""What Python is given from outside is refused at once, with the name of the argument: numbers, lists, places."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import metastruct
from metastruct.api import export
from metastruct.api.reading import named
from metastruct.api.space import Space
from metastruct.config.folders import VARIABLE
from metastruct.data.family import Family
from metastruct.data.outside import LARGEST, floats, pieces_of, place_of, several, states_of

T = np.arange(5.0)
X = np.random.default_rng(0).normal(size=(5, 2))
FAMILY = Family.from_arrays([[(T, X)]], states=["q", "p"])
FRAME = {"t": T, "q": T}
NO_PATHS = (5, None, "", " ", [], {}, b"x", 3.5, "x" * 5000)
DOORS: dict[str, Callable[[object], object]] = {
    "run_folder": metastruct.load,
    "path": metastruct.load_member,
    "path of several": metastruct.load_members,
    "path of a family": lambda path: Family.from_files(path, ["q"]),
    "path of an export": lambda path: export.write(None, path, False),  # type: ignore[arg-type]
    "outputs": lambda path: metastruct.fit(FAMILY, outputs="x" if path is None else path),
}


@pytest.mark.parametrize("path", NO_PATHS, ids=lambda path: repr(path)[:9])
@pytest.mark.parametrize("door", DOORS)
def test_what_is_no_path_is_refused(door, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if door == "outputs" and path is None:
        pytest.skip("is the usual place")
    with pytest.raises(ValueError, match=f"^{door.split()[0]} must be (the path of a file or a folder|a path that)"):
        DOORS[door](path)
    assert os.listdir() == []


@pytest.mark.parametrize("folder", [5, None, "", " "])
def test_no_folder_of_yamls_is_refused(folder, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(ValueError, match=r"must be a folder of yamls GROUP/NAME\.yaml, got none"):
        metastruct.add_conf(folder)
    assert os.environ[VARIABLE] == ""


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "members 5": (lambda: Family.from_arrays(5), "members must be a list or a mapping of members, got 5"),
    "members in a word": (
        lambda: Family.from_arrays("abc"),
        "members must be a list or a mapping of members, got 'abc'",
    ),
    "a member 5": (lambda: Family.from_arrays([5]), "member 0 must be a list of trajectories, got 5"),
    "a trajectory 5": (
        lambda: Family.from_arrays([[5]]),
        r"trajectory 0 of member 0 must be \(t, x\) or a mapping, got 5",
    ),
    "complex states": (
        lambda: Family.from_arrays([[(T, X * 1j)]]),
        "states of .* must be numbers, got complex numbers",
    ),
    "masked states": (
        lambda: Family.from_arrays([[(T, np.ma.array(X, mask=X > 0))]]),
        "states of .*, got a masked array",
    ),
    "spans of time": (lambda: Family.from_arrays([[(T.astype("timedelta64[s]"), X)]]), "times of .*, got time spans"),
    "a frame 5": (lambda: Family.from_frame(5, ["q"]), "frame must be one of pandas or a mapping of columns, got 5"),
    "states 5": (lambda: Family.from_frame(FRAME, 5), "states must be a list of names of columns such as"),
    "states None": (lambda: Family.from_frame(FRAME, None), "states must be a list of names of columns such as"),
    "units 5": (lambda: Family.from_frame(FRAME, ["q"], units=5), "units must be those of columns such as"),
    "member 5": (
        lambda: Family.from_frame(FRAME, ["q"], member=5),
        "member must be the name of a column such as member",
    ),
    "settings 5": (lambda: metastruct.fit(FAMILY, settings=5), "settings must be a mapping such as"),
    "settings by numbers": (lambda: metastruct.fit(FAMILY, settings={5: 5}), "settings must be a mapping such as"),
    "extend 5": (lambda: metastruct.extend(5, FAMILY), "extend needs a Model and a Family, got a int and a Family"),
    "observations 5": (lambda: named(5), r"observations must be \(states, dxdt\) or a mapping, got 5"),
    "observations None": (lambda: named(None), "observations must be"),
    "no inputs": (
        lambda: Space(2, 1).signal((), T, None),
        r"inputs must be numbers at the times, or a pair \(t, u\), got a tuple of 0",
    ),
    "inputs and a word": (
        lambda: Space(2, 1).signal((T, X[:, :1], True), T, None),
        r"inputs must be .*, got a tuple of 3",
    ),
    "held in words": (lambda: Space(2, 1).signal(X[:, :1], T, "no"), "held must be True, False or None, got 'no'"),
    "a path too long": (
        lambda: place_of("x" * 300, "path"),
        "path must be a path that the system lets be looked at, got one of 300 letters: File name too long",
    ),
    "too large states": (lambda: states_of([1e300, 0], "x", 2), r"x must be finite and at most 1e\+50, got 1 NaN or"),
    "too large pieces": (lambda: pieces_of(X * 1e300, "states", 2), r"states must be finite and at most 1e\+50"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_such_thing_is_refused_with_its_name(case):
    call, told = REFUSED[case]
    with pytest.raises(ValueError, match=told) as refused:
        call()
    assert "\n" not in str(refused.value)


def test_what_is_one_comes_in_unchanged(tmp_path):
    np.testing.assert_array_equal(states_of([LARGEST, -LARGEST], "x", 2), [LARGEST, -LARGEST])
    assert np.isnan(floats([np.nan], "x")).all()  # what was not seen is a matter of the table
    assert place_of(str(tmp_path), "path") == place_of(tmp_path, "path") == Path(tmp_path)
    assert several((1, 2), "x", "a list") == [1, 2]
    assert [*several(np.ones((2, 3)), "x", "a list")[0]] == [1, 1, 1]
    for wrong in (np.float64(1), np.array(1), "ab", b"ab"):
        with pytest.raises(ValueError, match="x must be a list"):
            several(wrong, "x", "a list")


@pytest.mark.parametrize("values", [[[None, []]], [[1, [2]], [3]], [[], [[1.0]]], [["a", ["b"]]]])
def test_lists_of_uneven_depth_are_no_observations(values):
    with pytest.raises(ValueError, match=r"^states must be numbers of shape \[points, 2\], got something else"):
        pieces_of(values, "states", 2)
