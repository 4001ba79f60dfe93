"""Labels that are words become columns of zeros and ones."""

from __future__ import annotations

import re

import numpy as np
import pytest

from metastruct.data.family import Family
from metastruct.data.tables.malformed import Malformed


def family(kinds, tmp_path, **columns):
    rows = [f"{member},1,{t},{t},{-t},{kind},2" for member, kind in enumerate(kinds) for t in (0.0, 0.5, 1.0)]
    path = tmp_path / "measured.csv"
    path.write_text("\n".join(["member,trajectory,t,q,p,material,mass", *rows]) + "\n")
    return Family.from_files(path, ["q", "p"], labels=["material", "mass"], **columns)


def test_each_word_has_a_column_and_of_two_the_first(tmp_path):
    three = family(["steel", "brass", "oak", "steel"], tmp_path, units={"material": "-", "q": "m"})
    assert three.layout.labels == ("material=brass", "material=oak", "material=steel", "mass")
    assert three.layout.units == {"q": "m"}
    told = np.array([member.parameters for member in three.members])
    np.testing.assert_array_equal(told, [[0, 0, 1, 2], [1, 0, 0, 2], [0, 1, 0, 2], [0, 0, 1, 2]])
    two = family(["steel", "brass"], tmp_path)
    assert two.layout.labels == ("material=brass", "mass")


def test_a_family_with_kinds_is_read_again_from_what_a_run_keeps(tmp_path):
    one = family(["steel", "brass", "oak"], tmp_path)
    (tmp_path / "family.npz").write_bytes(one.as_npz())
    again = Family.from_files(tmp_path / "family.npz", ["q", "p"], labels=list(one.layout.labels))
    for member, other in zip(one.members, again.members, strict=True):
        np.testing.assert_array_equal(member.parameters, other.parameters)


def test_a_frame_of_words_has_kinds_too():
    frame = {"member": ["a", "a", "b", "b"], "t": [0, 1, 0, 1], "q": [0.0, 1, 2, 3], "kind": ["x", "x", "y", "y"]}
    told = Family.from_frame(frame, ["q"], labels=["kind"])
    assert [member.parameters.tolist() for member in told.members] == [[1.0], [0.0]]


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (["steel", "7"], "column material: must be a number, got 'steel'"),
        (
            [f"kind {letter}" for letter in "abcdefghijklm"],
            "at most 12 words, got 13 words; leave it out of the labels",
        ),
    ],
)
def test_words_among_numbers_and_words_without_end_are_refused_in_one_line(tmp_path, kinds, said):
    with pytest.raises(Malformed, match=re.escape(said)) as error:
        family(kinds, tmp_path)
    assert "\n" not in str(error.value)
