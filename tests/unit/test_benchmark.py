"""The list of figures of merit; what they measure is no matter of tests."""

from __future__ import annotations

from metastruct.benchmark.figures import Figure, figures
from metastruct.benchmark.timing import interleaved


def test_every_figure_has_a_name_of_its_own():
    names = [figure.name for figure in figures()]
    assert len(names) == len(set(names)) > 20


def test_a_bar_is_met_from_its_side():
    low, high = Figure("a", float, 2.0), Figure("b", float, 2.0, at_least=True)
    assert (low.holds(1.9), low.holds(2.1), high.holds(1.9), high.holds(2.1)) == (True, False, False, True)
    assert (low.limit, high.limit, Figure("c", float).limit) == ("at most 2 x", "at least 2 x", "no bar")
    assert Figure("c", float).holds(1e9)


def test_calls_take_turns_after_a_warm_up():
    order = []
    times = interleaved(lambda: order.append("a"), lambda: order.append("b"), rounds=3)
    assert "".join(order) == "aaaaabbbbbababab"
    assert [len(taken) for taken in times] == [3, 3]
