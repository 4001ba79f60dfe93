"""Families from frames and arrays are those of files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metastruct.data.family import Family


def frame(**other) -> pd.DataFrame:
    columns = {"member": ["a"] * 3 + ["b"] * 2, "trajectory": [1, 1, 1, 1, 1], "t": [0.0, 1, 2, 0, 1]}
    return pd.DataFrame(columns | {"q": [1.0, 2, 3, 4, 5], "p": [0.5, 0.25, 0, 1, 2]} | other)


def arrays() -> dict[str, list]:
    return {
        "a": [([0.0, 1, 2], [[1.0, 0.5], [2, 0.25], [3, 0]])],
        "b": [([0.0, 1], [[4.0, 1], [5, 2]])],
    }


def equal(one: Family, other: Family) -> bool:
    pairs = zip(one.members, other.members, strict=True)
    return all(
        np.array_equal(x.states, y.states) and np.array_equal(x.times, y.times) and m.name == n.name
        for m, n in pairs
        for x, y in zip(m.trajectories, n.trajectories, strict=True)
    )


def test_a_frame_its_file_and_its_arrays_are_one_family(tmp_path):
    family = Family.from_frame(frame(), states=["q", "p"])
    frame().to_csv(tmp_path / "x.csv", index=False)
    frame().to_parquet(tmp_path / "x.parquet")
    for name in ("x.csv", "x.parquet"):
        assert equal(Family.from_files(tmp_path / name, ["q", "p"]), family)
    assert equal(Family.from_arrays(arrays(), ["q", "p"]), family)
    assert not equal(Family.from_frame(frame(q=[1.0, 2, 3, 4, 6]), states=["q", "p"]), family)
    assert family.title == "Family(2 members, 2 trajectories, 5 instants of q, p)"


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, 2, 3, 4, 5], dtype="Int64"),
        pd.array([1.0, 2, 3, 4, 5], dtype="Float32"),
        np.array([1, 2, 3, 4, 5], dtype=np.int8),
        np.array(["1", "2.0", "3e0", "4", "5"], dtype=object),
        [1, 2.0, "3", 4, 5],
    ],
)
def test_columns_of_any_kind_of_numbers_are_read(column):
    assert equal(Family.from_frame(frame(q=column), ["q", "p"]), Family.from_frame(frame(), ["q", "p"]))


def test_members_may_be_categories_and_what_is_missing_is_a_gap():
    family = Family.from_frame(frame(member=pd.Categorical(["a"] * 3 + ["b"] * 2)), ["q", "p"])
    assert [member.name for member in family.members] == ["a", "b"]
    missing = Family.from_frame(frame(q=pd.array([1, None, 3, 4, 5], dtype="Int64")), ["q", "p"])
    assert [len(member.trajectories) for member in missing.members] == [2, 1]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (lambda: frame().drop(columns="q"), "frame: must have the column q of the states"),
        (lambda: frame().set_index("t"), "frame: must have the column t of the time"),
        (lambda: frame().rename(columns={"q": "p"}), "frame, column p: is there twice"),
        (lambda: frame().rename(columns={"q": 7}), "must have words as names of columns, got 7"),
        (lambda: frame(q=["x", 2, 3, 4, 5]), "frame, row 1, column q: must be a number, got 'x'"),
        (lambda: frame(q=[1, 2, np.inf, 4, 5]), "frame, row 3, column q: must be finite"),
        (lambda: frame(q=[1j, 2, 3, 4, 5]), "column q: must be numbers, got complex numbers"),
        (lambda: frame(q=[[1], 2, 3, 4, 5]), "column q: must be one number or word a row, got a list"),
        (lambda: frame(q=[True, False] * 2 + [True]), "column q: must be numbers, got truth values"),
        (lambda: frame(q=[True, 2, 3, 4, 5]), "column q: must be one number or word a row, got a bool"),
        (lambda: frame(t=pd.date_range("2024-01-01", periods=5)), "column t: must be numbers, got dates"),
        (lambda: frame(member=["a", None, "a", "b", "b"]), "row 2, column member: must be a name, got an empty cell"),
        (lambda: frame().iloc[:0], "frame: must have rows below its header, got none"),
    ],
)
def test_a_frame_that_is_no_table_of_trajectories_is_refused(table, told):
    with pytest.raises(ValueError, match=told):
        Family.from_frame(table(), ["q", "p"])


def test_arrays_have_names_labels_inputs_and_derivatives():
    one = {"times": [0, 1], "states": [[1.0], [2.0]], "derivatives": [[1.0], [1.0]], "inputs": [[0.0, 1], [2, 3]]}
    family = Family.from_arrays([[one], [one]], labels={"mass": [1.5, 2.5]})
    assert family.parts == ("states", "derivatives", "inputs", "times")
    assert (family.layout.states, family.layout.inputs) == (("x0",), ("u0", "u1"))
    assert [member.parameters.tolist() for member in family.members] == [[1.5], [2.5]]
    assert [member.name for member in family.members] == ["0", "1"]


@pytest.mark.parametrize(
    ("members", "more", "told"),
    [
        ([], {}, "needs the trajectories of at least one member, got none"),
        ([[]], {}, "needs the trajectories of at least one member, got none"),
        (
            [[([0, 1], [1, 2])]],
            {},
            r"states of trajectory 0 of member 0 must have the shape \[2, components\], got \[2\]",
        ),
        ([[([0, 1], [[1], [2], [3]])]], {}, r"must have the shape \[2, components\], got \[3, 1\]"),
        ([[([0], [[1]]), ([0], [[1, 2]])]], {}, "states of trajectory 1 of member 0 must have 1 components, got 2"),
        ([[([0], [[1]], [[2]])]], {}, r"trajectory 0 of member 0 must be \(t, x\) or a mapping"),
        (
            [[{"times": [0], "states": [[1]], "mass": 1}]],
            {},
            "must be .* a mapping of times, states, derivatives, inputs",
        ),
        ([[([0, 1], [["a"], ["b"]])]], {}, "states of trajectory 0 of member 0 must be numbers"),
        ([[([0, 1], [[1], [np.inf]])]], {}, "arrays, row 2, column x0: must be finite"),
        ([[([0, 0], [[1], [2]])]], {}, "arrays, row 2, column t: must be an instant of its own"),
        (
            [[([0], [[1]])]],
            {"states": ["q", "p"]},
            r"states must name the 1 components that there are, got \['q', 'p'\]",
        ),
        ([[([0], [[1]])]], {"labels": {"mass": [1, 2]}}, "labels must have a number for each of 1 members, got 2"),
    ],
)
def test_arrays_that_are_no_trajectories_are_refused(members, more, told):
    with pytest.raises(ValueError, match=told):
        Family.from_arrays(members, **more)


def test_a_member_without_what_others_have_is_refused():
    one = {"times": [0, 1], "states": [[1.0], [2.0]]}
    with pytest.raises(ValueError, match="must have times, states as the first, got times, states, derivatives"):
        Family.from_arrays([[one], [one | {"derivatives": [[1.0], [1.0]]}]])
