"""The one door for arrays: what comes in is used unchanged, or refused in one line."""

from __future__ import annotations

from collections import UserList, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from metastruct.data.outside import floats

KINDS = st.one_of(
    arrays.integer_dtypes(),
    arrays.unsigned_integer_dtypes(),
    arrays.floating_dtypes(),
    arrays.complex_number_dtypes(),
    arrays.boolean_dtypes(),
    arrays.datetime64_dtypes(),
    arrays.timedelta64_dtypes(),
    arrays.byte_string_dtypes(max_len=3),
    arrays.unicode_string_dtypes(max_len=3),
    st.sampled_from([np.dtype(np.longdouble), np.dtype([("q", float), ("p", float)])]),
)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


def taken(values: Any) -> tuple[np.ndarray | None, str]:
    """As floats, or why they are refused."""
    try:
        return floats(values, "x must be numbers"), ""
    except ValueError as error:
        return None, str(error)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_comes_in_is_unchanged_or_refused_in_one_line(data):
    dtype = data.draw(KINDS)
    array = data.draw(arrays.arrays(dtype, data.draw(SHAPES)))
    floats, refusal = taken(array)
    if floats is None:
        assert refusal.startswith("x must be numbers, got ")
        assert "\n" not in refusal
        assert dtype.kind not in "iuf" or dtype.itemsize >= 8  # smaller ones fit
        return
    assert dtype.kind in "iuf"
    assert floats.dtype == np.float64
    assert floats.shape == array.shape
    for one, other in zip(array.flat, floats.flat, strict=True):
        exact = int(one) == int(other) if dtype.kind in "iu" else one == other or (np.isnan(one) and np.isnan(other))
        assert exact
        assert dtype.kind != "f" or np.signbit(one) == np.signbit(other) or np.isnan(one)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=2)), max_size=5))
def test_lists_too(values):
    plain = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    floats, refusal = taken(values)
    if floats is None:
        assert "\n" not in refusal
        assert not plain or any(isinstance(value, int) and abs(value) > 2**53 for value in values)
        return
    assert plain
    assert all(other == one or one != one for one, other in zip(values, floats, strict=True))


def test_an_integer_among_floats_keeps_its_digits():
    with pytest.raises(ValueError, match="got integers of more digits"):
        floats([2**53 + 1, 0.5], "x must be numbers")


class Quantity(np.ndarray):
    unit = "m"


REFUSED = {
    "masked": np.ma.masked_array([1.0, 2.0], [True, False]),
    "a list of masked": [np.ma.masked_array([1.0, 2.0], [True, False])] * 2,
    "a unit": np.ones(2).view(Quantity),
    "a list with a unit": [np.ones(2).view(Quantity)],
    "truth among numbers": [[True, 1.0], [0.0, 1.0]],
    "truth of numpy among numbers": [np.True_, 1.0],
    "nothing among numbers": [None, 1.0],
    "decimals": [Decimal("0.1")],
    "fractions": [Fraction(1, 3)],
    "words in objects": np.array(["1.5", 2.0], dtype=object),
    "too large": [10**400],
    "too many digits": np.array([2**63 - 1]),
    "too many digits among objects": [2**70 + 1],
    "a gradient": torch.ones(2, requires_grad=True),
    "a kind that numpy has not": torch.ones(2, dtype=torch.bfloat16),
    "spans": np.array([1], "m8[ms]"),
    "a span among objects": np.array([np.timedelta64(3, "ms"), 1.0], dtype=object),
    "complex": [1j],
    "complex among objects": np.array([1j, 10**30], dtype=object),
    "ragged": [[1.0], [1.0, 2.0]],
    "a set": {1.0},
    "an array of truths beside one of numbers": [np.array([True, False]), np.ones(2)],
    "a tensor of truths beside one of numbers": [torch.tensor([True, False]), torch.ones(2)],
    "an array of many digits beside one of floats": [np.array([2**60 + 1, 0]), np.ones(2)],
    "truths deep in lists": [[np.ones(2)], (np.array([True, False]),)],
    "truth in another sequence": deque([True, 1.0]),
    "digits in another sequence": UserList([2**60 + 1, 1.0]),
}


@pytest.mark.parametrize("values", REFUSED.values(), ids=REFUSED)
def test_what_would_lose_its_meaning_is_refused(values):
    with pytest.raises(ValueError, match=r"^x must be numbers, got [^\n]*$"):
        floats(values, "x must be numbers")


@pytest.mark.parametrize(
    "values",
    [torch.ones(3), [np.float32(0.1), 1], np.ones(3, ">f8"), np.ones((4, 4))[::2, ::-1], [2**60], np.array([], int)],
)
def test_what_keeps_its_meaning_is_taken(values):
    np.testing.assert_array_equal(floats(values, "x must be numbers"), np.asarray(values))
