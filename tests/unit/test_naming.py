"""Names of columns that say of sites or bodies that they are in another order are told."""

from __future__ import annotations

import numpy as np
import pytest

from metastruct.config.schema import composed
from metastruct.data.naming import misplaced
from metastruct.data.trajectory import Member, Trajectory
from metastruct.running.assembly import reader

SITES = [f"u{number}" for number in range(1, 13)]


@pytest.mark.parametrize(
    ("names", "dimension", "words"),
    [
        (sorted(SITES), 1, "u2 comes after u12, and neighbours"),
        ([*sorted(f"q{n}" for n in range(1, 12)), *sorted(f"p{n}" for n in range(1, 12))], 1, "q2 comes after q11"),
        (
            [f"{axis}{n}" for axis in ("x", "y", "vx", "vy") for n in range(4)],
            2,
            "x0, x1 are taken for the coordinates",
        ),
        ([f"atom{n}_{axis}" for axis in ("x", "y", "px", "py") for n in (1, 2)], 2, "atom1_x, atom2_x are taken for"),
    ],
)
def test_another_order_is_told(names, dimension, words):
    assert misplaced(names, dimension).startswith(words)


@pytest.mark.parametrize(
    ("names", "dimension"),
    [
        (SITES, 1),
        ([f"q{n}" for n in range(12)] + [f"p{n}" for n in range(12)], 1),
        ([f"q{n}" for n in range(12)] + [f"p{n}" for n in range(12)], 2),  # numbers of coordinates, not of bodies
        ([f"{axis}{n}" for n in range(4) for axis in "xy"] + [f"p{axis}{n}" for n in range(4) for axis in "xy"], 2),
        ([f"x{n}" for n in range(16)], 2),
        (["angle", "rate"], 1),
        (["u2", "left", "u1"], 1),
    ],
)
def test_an_order_that_may_be_right_is_not(names, dimension):
    assert misplaced(names, dimension) is None


@pytest.mark.parametrize(("net", "told"), [("graph", True), ("mlp", False)])
def test_nets_of_local_terms_ask_and_others_do_not(net, told):
    names = [*sorted(f"q{n}" for n in range(1, 12)), *sorted(f"p{n}" for n in range(1, 12))]
    t = np.linspace(0, 1, 20)
    still = Member((Trajectory(t, np.ones((20, 22))),))
    lines = reader(composed("system=fput", f"net={net}"), names)([still])[1]
    assert any("q2 comes after q11" in line for line in lines) == told
