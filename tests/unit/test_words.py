"""Words of a command line are read and written in one grammar, that of Hydra."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metastruct.config.mistakes import ConfigError
from metastruct.config.schema import composed
from metastruct.config.words import value_of, worded
from metastruct.sweeps.table import configured

PLACES = (
    "o/runs (copy)",
    "a,b",
    "it's",
    "x#y",
    "{a}",
    "[v2]",
    "a b",
    "a:b",
    "$x",
    "100%",
    "null",
    "5",
    "é",
    "a=b",
    "\\",
    "~",
)


@pytest.mark.few(5)
@pytest.mark.parametrize("text", PLACES)
def test_a_folder_of_any_name_is_the_same_for_a_sweep_and_for_its_runs(text):
    word = f"outputs={worded(text)}"
    assert value_of("outputs", worded(text)) == text
    assert configured(word).outputs == text
    assert composed(word).outputs == text


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=8).filter(lambda text: "${" not in text))
def test_any_text_is_read_as_it_was_written(text):
    assert value_of("tag", worded(text)) == text


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (None, "null"), (1.5, "1.5"), (["a", "b c"], "[a,'b c']"), (3, "3"), ("a", "a")]
)
def test_values_are_written_as_people_write_them(value, text):
    assert worded(value) == text
    assert value_of("key", text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("1:30", "1:30"), ("0b11", "0b11"), ("1e-3", 1e-3), ("01", "01"), ("", "")]
)
def test_numbers_are_those_of_hydra(text, value):
    assert value_of("key", text) == value


@pytest.mark.parametrize("text", ["1,2", "[1", "'a", "a)", "range(0,3)"])
def test_what_is_no_value_is_told_with_its_key(text):
    with pytest.raises(ConfigError, match=r"key.*(quote)"):
        value_of("key", text)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("shots=1:30", "shots must be an integer such as 3, got '1:30'"),
        ("shots=0b11", "shots must be an integer such as 3, got '0b11'"),
        ("evaluation.box_scale=wide", "evaluation.box_scale must be a number such as 0.5, got 'wide'"),
        ("force=maybe", "force must be true or false, got 'maybe'"),
        ("force=5", "force must be true or false, got 5"),
        ("evaluation.animation=1.5", "evaluation.animation must be true or false, got '1.5'"),
    ],
)
def test_a_value_of_another_kind_is_told_alike_by_sweeps_and_runs(word, expected):
    with pytest.raises(ConfigError) as refused:
        configured(word)
    assert str(refused.value) == expected


@pytest.mark.parametrize("make", [configured, composed])
def test_any_number_stands_for_no_switch_but_zero_and_one_do(make):
    with pytest.raises(ConfigError, match=r"evaluation\.figures must be true or false, got 5"):
        make("evaluation.figures=5")
    assert [make(f"evaluation.figures={word}").evaluation.figures for word in ("1", "0", "true")] == [True, False, True]
