"""The comparison of two versions of the code sees a changed digit, and only what it should let pass is let pass."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from metastruct.config.facts import CONF

SCRIPT = runpy.run_path(str(CONF.parent / "scripts" / "comparison.py"))
HEAD = "experiment,run,system,task,component,metric,value"
ROWS = ("main,svd-1,pendulum,0,,field_error,0.125", "main,svd-1,pendulum,0,q,ssim,nan")


def left(side: Path, *rows: str, **weights: float) -> Path:
    """The folder of a named run with these records and a model."""
    folder = side / "pendulum-svd5-seed0-key"
    folder.mkdir(parents=True)
    (folder / "metrics.json").touch()
    (folder / "records.csv").write_text("\n".join((HEAD, *rows)) + "\n")
    model = {name: torch.tensor([value, 1.0]) for name, value in ({"weight": 0.5} | weights).items()}
    torch.save(
        {"model": model, "labels": {"names": ["k"]}, "history": [(1, 0.25)], "seconds": side.stat().st_ino},
        folder / "model.ckpt",
    )
    return side


@pytest.fixture
def before(tmp_path) -> Path:
    return left(tmp_path / "before", *ROWS)


@pytest.fixture
def holds(before, tmp_path):
    def compared(*rows: str, tolerance: float = 0.0, **weights: float) -> bool:
        after = left(tmp_path / "after", *rows, **weights)
        return SCRIPT["compare"]("svd", before, after, tolerance)

    return compared


def test_equal_results_are_equal_whatever_their_seconds_and_their_key(holds):
    assert holds(*(row.replace("svd-1", "svd-2") for row in ROWS))


@pytest.mark.parametrize(
    "rows",
    [
        (ROWS[0].replace("0.125", "0.12500000000000003"), ROWS[1]),
        (ROWS[0].replace("0.125", "0.1250"), ROWS[1]),
        (ROWS[0].replace("0.125", "nan"), ROWS[1]),
        (ROWS[0].replace("pendulum", "duffing"), ROWS[1]),
        ROWS[::-1],
        ROWS[:1],
        (),
    ],
    ids=["last digit", "text", "diverged", "word", "order", "row", "no rows"],
)
def test_any_other_difference_of_the_records_is_seen(holds, rows):
    assert not holds(*rows)


def test_a_changed_weight_is_seen_and_a_renamed_one_is_told(holds, capsys):
    assert not holds(*ROWS, weight=0.5 + 2**-24)
    assert "model.weight" in capsys.readouterr().out


def test_a_name_that_one_model_alone_has_changes_no_result_and_is_told(holds, capsys):
    assert holds(*ROWS, extra=1.0)
    assert "+model.extra" in capsys.readouterr().out


@pytest.mark.parametrize(("tolerance", "passes"), [(1e-6, True), (1e-8, False)])
def test_a_tolerance_lets_numbers_differ_up_to_it_and_says_the_largest(holds, capsys, tolerance, passes):
    assert holds(ROWS[0].replace("0.125", "0.1250000125"), ROWS[1], tolerance=tolerance) == passes
    assert "1.0e-07  field_error of task 0" in capsys.readouterr().out


def test_a_tolerance_lets_no_word_differ(holds):
    assert not holds(ROWS[0].replace("pendulum", "duffing"), ROWS[1], tolerance=1.0)


def test_a_run_that_left_nothing_is_no_equal(before, tmp_path):
    (tmp_path / "nothing").mkdir()
    assert not SCRIPT["compare"]("svd", before, tmp_path / "nothing", 0.0)
    assert not SCRIPT["compare"]("svd", tmp_path / "nothing", tmp_path / "nothing", 0.0)
