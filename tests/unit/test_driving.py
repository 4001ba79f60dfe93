"""Inputs of members that were written in other units are told."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import metastruct
from metastruct.data.driving import unlike

TINY = {"net.width": 8, "modulation.code_dim": 2, "trainer.steps_per_epoch": 1}


def family(factors):
    """Masses that are pushed, whose pushes are written in units of their own."""
    rng, t, members = np.random.default_rng(0), np.linspace(0, 4, 40), {}
    for number, factor in enumerate(factors):
        u = rng.uniform(0.5, 2) * np.sin(rng.uniform(1, 2) * t)
        v = np.cumsum(u) * t[1]
        path = dict(times=t, states=np.stack([np.cumsum(v) * t[1], v], -1), inputs=factor * u[:, None])
        members[f"cart {number}"] = [path]
    return metastruct.Family.from_arrays(members, states=["q", "v"], inputs=["push"])


@pytest.mark.parametrize(
    ("factor", "words"), [(1000.0, r"push is \d\.?\d*e\+03 times"), (0.001, r"push is 0\.0\d+ times")]
)
def test_a_member_whose_inputs_have_another_unit_is_named(factor, words):
    (line,) = unlike(family([1.0, 1.0, factor, 1.0]).members, ["push"])
    assert re.match(words, line)
    assert "in cart 2; give it in one unit" in line


@pytest.mark.parametrize("factors", [[1.0, 0.2, 5.0, 1.0], [1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0], [1.0, 1000.0]])
def test_inputs_that_may_differ_so_are_told_nothing(factors):
    assert unlike(family(factors).members, ["push"]) == ()


def test_a_fit_tells_it(tmp_path):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        metastruct.fit(
            family([1.0, 1000.0, 1.0, 1.0]),
            "mechanical",
            rank=2,
            steps=1,
            progress=False,
            outputs=tmp_path,
            settings=TINY,
        )
    assert any("times that of most members in cart 1" in str(one.message) for one in heard)
