"""Trajectories from tables: what is handled is handled alike in every format, and said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metastruct.data.family import Family
from metastruct.data.tables.layout import Layout, inferred
from metastruct.data.tables.reading import content_of, tables

HEADER = "member,trajectory,t,q,p\n"
ROWS = "a,1,0,1,0\na,1,1,2,3\na,1,2,4,5\na,2,0,7,8\na,2,0.5,8,9\nb,1,0,1,1\nb,1,3,2,2\n"


def read(folder, text: str, name: str = "data.csv", **columns) -> Family:
    path = folder / name
    path.write_bytes(text.encode())
    return Family.from_files(path, ["q", "p"], **columns)


@pytest.fixture
def plain(tmp_path) -> bytes:
    return read(tmp_path, HEADER + ROWS, "plain.csv").as_npz()


SAME = {
    "a byte order mark": (lambda text: "\ufeff" + text, "a byte order mark in front is left out"),
    "semicolons": (lambda text: text.replace(",", ";"), "columns are separated by a semicolon"),
    "tabs": (lambda text: text.replace(",", "\t"), "columns are separated by a tab"),
    "bars": (lambda text: text.replace(",", "|"), "columns are separated by a bar"),
    "quotes": (lambda text: text.replace("a,", '"a",'), None),
    "quoted numbers": (lambda text: text.replace("0.5", '"0.5"'), None),
    "lines of Windows": (lambda text: text.replace("\n", "\r\n"), None),
    "lines of an old Mac": (lambda text: text.replace("\n", "\r"), None),
    "no end of the last line": (lambda text: text.rstrip("\n"), None),
    "spaces around cells": (lambda text: text.replace(",", " , "), None),
    "blank lines": (
        lambda text: text.replace("a,2,0,", "\n\na,2,0,"),
        "2 blank lines are left out, the first is line 5",
    ),
    "numbers in other forms": (lambda text: text.replace(",8,9", ",+8.0,0.9e1"), None),
    "columns in another order": (
        lambda text: "".join(",".join(line.split(",")[::-1]) + "\n" for line in text.split("\n") if line),
        None,
    ),
    "a column that nobody asked for": (
        lambda text: text.replace("\n", ",x y\n").replace("p,x y", "p,comment"),
        "columns that are not read: comment",
    ),
    "rows out of order": (
        lambda text: text.replace("a,1,1,2,3\na,1,2,4,5\n", "a,1,2,4,5\na,1,1,2,3\n"),
        "the rows of member a, trajectory 1 are put in order, the first is line 4",
    ),
    "a doubled row": (
        lambda text: text.replace("a,1,1,2,3\n", "a,1,1,2,3\na,1,1,2,3\n"),
        "1 doubled rows of member a, trajectory 1 count once: line 4",
    ),
    "trajectories through each other": (
        lambda text: text.replace("a,2,0,7,8\n", "").replace("a,1,2,4,5\n", "a,2,0,7,8\na,1,2,4,5\n"),
        None,
    ),
}


@pytest.mark.parametrize(("change", "note"), SAME.values(), ids=SAME.keys())
def test_other_ways_to_write_a_table_are_the_same_family_and_what_was_done_is_said(tmp_path, plain, change, note):
    text = change(HEADER + ROWS)
    assert text != HEADER + ROWS
    family = read(tmp_path, text)
    assert family.as_npz() == plain
    assert family.report == (() if note is None else (f"data.csv: {note}",))


@pytest.mark.parametrize("empty", ["", "nan", "NaN", "NA", "null", "None"])
def test_a_gap_splits_its_trajectory(tmp_path, empty):
    rows = "".join(f"a,1,{t},{empty if t in (2, 3) else t},0\n" for t in range(6))
    family = read(tmp_path, HEADER + rows)
    assert [one.times.tolist() for one in family.members[0].trajectories] == [[0, 1], [4, 5]]
    assert family.trajectory_names == (("1 part 1", "1 part 2"),)
    assert family.report == ("data.csv: 2 rows of member a, trajectory 1 have gaps and split it: lines 4, 5",)


def test_gaps_at_the_ends_shorten_a_trajectory_and_one_of_gaps_alone_is_left_out_and_said(tmp_path):
    family = read(tmp_path, HEADER + "a,1,0,,0\na,1,1,2,0\na,1,2,3,1\na,1,3,4,\na,2,0,,\n")
    assert family.trajectory_names == (("1",),)
    assert family.members[0].trajectories[0].times.tolist() == [1, 2]
    assert "nothing of it is left: line 6" in family.report[-1]


def test_two_instants_are_a_trajectory_and_one_is_said(tmp_path):
    family = read(tmp_path, HEADER + "a,1,0,1,2\na,1,1,2,3\na,2,0,1,2\n")
    assert [len(one) for one in family.members[0].trajectories] == [2, 1]
    assert family.report == ("data.csv: member a, trajectory 2 has a piece of one instant: line 4",)


def test_components_of_any_scale_are_read_to_the_last_digit(tmp_path):
    values = np.random.default_rng(0).normal(size=(50, 2)) * [1e-6, 1e6]
    text = "t,q,p\n" + "".join(f"{t * 1e-9!r},{q!r},{p!r}\n" for t, (q, p) in enumerate(values.tolist()))
    (one,) = read(tmp_path, text).members[0].trajectories
    assert np.array_equal(one.states, values)
    assert np.array_equal(one.times, np.arange(50) * 1e-9)


def test_a_folder_of_one_file_a_member_has_their_names_whatever_the_format(tmp_path, plain):
    folder = tmp_path / "folder"
    folder.mkdir()
    one, other = ("".join(row for row in ROWS.splitlines(True) if row[0] == name) for name in "ab")
    (folder / "a.csv").write_text("trajectory,t,q,p\n" + one.replace("a,", ""))
    read(folder, HEADER.replace("member,", "") + other.replace("b,", ""), "b.csv")
    (folder / "b.npz").write_bytes(Family.from_files(folder / "b.csv", ["q", "p"]).as_npz())
    (folder / "b.csv").unlink()
    (folder / "notes.md").write_text("of the laboratory")
    family = Family.from_files(folder, ["q", "p"])
    assert family.as_npz() == plain
    assert family.report == (f"{folder}: left out, for no format has these names: notes.md",)


def test_derivatives_inputs_and_labels_are_read_where_they_are(tmp_path):
    text = "member,t,q,p,dq,dp,u,mass\na,0,1,2,3,4,5,6\na,1,1,2,3,4,5,\n"
    family = read(tmp_path, text, inputs=["u"], labels=["mass"], units={"q": "m", "t": "s"})
    assert family.parts == ("states", "derivatives", "inputs", "times")
    assert family.members[0].parameters.tolist() == [6]
    assert family.members[0].name == "a"
    assert (family.layout.unit("dq"), family.layout.unit("dp")) == ("m/s", "")
    assert family.report == ()


def test_columns_may_have_other_names(tmp_path):
    text = "rod,run,time,q,p\nx,1,0,1,2\nx,1,1,2,3\n"
    family = read(tmp_path, text, member="rod", trajectory="run", time="time")
    assert family.trajectory_names == (("1",),)
    again = tmp_path / "again.npz"
    again.write_bytes(family.as_npz())
    assert Family.from_files(again, ["q", "p"], member="rod", trajectory="run", time="time").as_npz() == family.as_npz()


def test_states_that_nobody_named_are_those_with_derivatives_else_all_numbers(tmp_path):
    for name, header in {"a": "t,q,dq,mass", "b": "t,q,comment,mass"}.items():
        (tmp_path / f"{name}.csv").write_text(f"{header}\n0,1,{2 if name == 'a' else 'x'},3\n")
    assert [inferred(tables(tmp_path / f"{name}.csv")[0][0]) for name in "ab"] == [("q",), ("q", "mass")]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"states": []}, "states must name at least one column"),
        ({"states": "q"}, r"states must be a list of names of columns such as \[q, p\], got 'q'"),
        ({"states": ["q", "t"]}, "every column must have one part, got t for two"),
        ({"states": ["q"], "labels": ["q"]}, "every column must have one part, got q for two"),
        ({"states": ["q", "dq"]}, "every column must have one part, got dq for two"),
        ({"states": ["q"], "units": {"x": "m"}}, "units must be those of the columns .* got one of x"),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(columns, told):
    with pytest.raises(ValueError, match=told):
        Layout.of(**columns)


def test_the_content_of_a_path_is_that_of_its_bytes_and_of_the_names_in_a_folder(tmp_path):
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "a.csv").write_text(HEADER + ROWS)
    (tmp_path / "two" / "a.csv").write_text(HEADER + ROWS)
    (tmp_path / "three" / "b.csv").write_text(HEADER + ROWS)
    first, same, other = (content_of(tmp_path / name) for name in ("one", "two", "three"))
    assert first == same != other
    assert content_of(tmp_path / "one" / "a.csv") == content_of(tmp_path / "three" / "b.csv") != first
    (tmp_path / "one" / "a.csv").write_text(HEADER + ROWS.replace("7", "6"))
    assert content_of(tmp_path / "one") != first


@st.composite
def families(draw) -> Family:
    number = st.floats(-1e6, 1e6)
    times = st.lists(number, min_size=1, max_size=6, unique=True).map(sorted)
    width = draw(st.integers(1, 3))
    states = st.lists(number | st.just(float("nan")), min_size=width, max_size=width)
    members = []
    for _ in range(draw(st.integers(1, 3))):
        paths = [(t, [draw(states) for _ in t]) for t in draw(st.lists(times, min_size=1, max_size=3))]
        paths[0][1][0] = [0.0] * width  # something is seen of every member
        members.append(paths)
    return Family.from_arrays(members)


@settings(max_examples=60, deadline=None)
@given(families(), st.randoms())
def test_a_family_that_is_written_is_read_as_the_same_in_every_order_of_its_rows(tmp_path_factory, family, random):
    path = tmp_path_factory.mktemp("family") / "family.npz"
    path.write_bytes(family.as_npz())
    again = Family.from_files(path, family.layout.states)
    assert again.as_npz() == family.as_npz()
    assert again.trajectory_names == family.trajectory_names
    with np.load(path) as arrays:
        columns = dict(arrays)
    order = [*range(len(columns["t"]))]
    random.shuffle(order)
    shuffled = Family.from_frame({name: column[order] for name, column in columns.items()}, family.layout.states)

    def states(one: Family) -> dict[str, list[list[float]]]:
        return {m.name: sorted(t.states.tolist() for t in m.trajectories) for m in one.members}

    assert states(shuffled) == states(family)
