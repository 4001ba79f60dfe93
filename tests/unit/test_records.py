from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
from finished import SUMMARY, finish

from metastruct.runs.folder import MAYBE, RunFolder
from metastruct.runs.records import COLUMNS, Record, write_records

STYLE = (
    "experiment run system domain method learner dynamics seed task shots steps adaptation start component metric value"
)


def record(**changes) -> Record:
    words = {name: "word" for name in COLUMNS}
    return Record(**words | {"seed": 0, "task": 0, "shots": 200, "steps": 300, "value": 0.5} | changes)


def read(path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_columns_are_those_of_the_style_guide(tmp_path):
    write_records(tmp_path / "records.csv", [])
    assert (tmp_path / "records.csv").read_text().strip() == STYLE.replace(" ", ",")


def test_one_row_a_record_in_order_and_their_number_is_returned(tmp_path):
    path = tmp_path / "records.csv"
    assert write_records(path, (record(task=task, method="svd(5)", component="") for task in range(3))) == 3
    rows = read(path)
    assert [row["task"] for row in rows] == ["0", "1", "2"]
    assert {(row["method"], row["component"], row["shots"]) for row in rows} == {("svd(5)", "", "200")}


@pytest.mark.parametrize("value", [0.1 + 0.2, 1e-300, -np.pi, np.float64(1) / 3, np.float32(0.1), 3, math.inf])
def test_values_keep_every_digit(tmp_path, value):
    write_records(tmp_path / "records.csv", [record(value=value)])
    assert float(read(tmp_path / "records.csv")[0]["value"]) == float(value)


def test_a_value_that_is_not_a_number_stays_one(tmp_path):
    write_records(tmp_path / "records.csv", [record(value=np.nan)])
    assert math.isnan(float(read(tmp_path / "records.csv")[0]["value"]))


def test_text_with_commas_quotes_and_lines_survives(tmp_path):
    word = 'a, "b"\nc'
    write_records(tmp_path / "records.csv", [record(experiment=word)])
    assert read(tmp_path / "records.csv")[0]["experiment"] == word


def test_records_that_break_off_leave_the_old_file(tmp_path):
    path = tmp_path / "records.csv"
    write_records(path, [record()])
    before = path.read_text()

    def broken():
        yield record(task=1)
        raise RuntimeError("broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        write_records(path, broken())
    assert path.read_text() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["records.csv"]


def test_a_run_is_finished_when_its_metrics_count_its_records(tmp_path):
    run = RunFolder(tmp_path)
    assert run.finished() is None
    count = write_records(run.records, [record(), record(task=1)])
    assert run.finished() is None
    run.metrics.write_text(json.dumps(SUMMARY | {"records": count}))
    assert run.finished() == SUMMARY | {"records": 2}


@pytest.mark.parametrize("left_out", SUMMARY)
def test_a_run_whose_metrics_lack_what_is_read_of_them_is_not_finished(tmp_path, left_out):
    run = finish(tmp_path)
    assert run.finished() is not None
    for value in (None, [], {"a": 1}, "x", True):
        changed = SUMMARY | {left_out: value}
        legal = (value == "x" and isinstance(SUMMARY[left_out], str)) or (value is None and left_out in MAYBE)
        run.metrics.write_text(json.dumps(changed))
        assert (run.finished() is not None) == legal, value
    run.metrics.write_text(json.dumps({name: value for name, value in SUMMARY.items() if name != left_out}))
    assert run.finished() is None


@pytest.mark.parametrize("text", ["", "metric\n", "a,b\n1,2\n", '"', "\0" * 200_000, "x" * 200_000, "\udcff"])
def test_a_run_whose_records_are_damaged_is_not_finished(tmp_path, text):
    run = finish(tmp_path)
    run.records.write_bytes(text.encode(errors="surrogateescape"))
    assert run.finished() is None


@pytest.mark.parametrize("metrics", ["", '{"records": 2', json.dumps(SUMMARY | {"records": 3}), "{}"])
def test_a_run_with_torn_or_foreign_metrics_is_not_finished(tmp_path, metrics):
    run = RunFolder(tmp_path)
    write_records(run.records, [record(), record(task=1)])
    run.metrics.write_text(metrics)
    assert run.finished() is None


def test_a_run_without_its_records_is_not_finished(tmp_path):
    RunFolder(tmp_path).metrics.write_text('{"records": 2}')
    assert RunFolder(tmp_path).finished() is None
