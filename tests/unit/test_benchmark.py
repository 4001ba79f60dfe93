"""The list of figures of merit; what they measure is no matter of tests."""

from __future__ import annotations

from metastruct.benchmark.figures import Figure, figures
from metastruct.benchmark.record import keep
from metastruct.benchmark.timing import interleaved


def test_every_figure_has_a_name_of_its_own():
    names = [figure.name for figure in figures()]
    assert len(names) == len(set(names)) > 20


def test_a_bar_is_met_from_its_side():
    low, high = Figure("a", float, 2.0), Figure("b", float, 2.0, at_least=True)
    assert (low.holds(1.9), low.holds(2.1), high.holds(1.9), high.holds(2.1)) == (True, False, False, True)
    assert (low.limit, high.limit, Figure("c", float).limit) == ("at most 2 x", "at least 2 x", "no bar")
    assert Figure("c", float).holds(1e9)


def test_a_figure_on_record_gives_way_to_its_next_value_and_leaves_the_others(tmp_path):
    for name, value in (("a", 1.0), ("b", 5.0), ("a", 3.0)):
        keep(Figure(name, float, 2.0), value, ["scripts/benchmark.py"], tmp_path)
    lines = [line.split(" | ")[1:] for line in (tmp_path / "table.md").read_text().splitlines()[2:4]]
    assert lines == [["3.00 x", "at most 2 x", "no |"], ["5.00 x", "at most 2 x", "no |"]]


def test_calls_take_turns_after_a_warm_up():
    order = []
    times = interleaved(lambda: order.append("a"), lambda: order.append("b"), rounds=3)
    assert "".join(order) == "aaaaabbbbbababab"
    assert [len(taken) for taken in times] == [3, 3]
