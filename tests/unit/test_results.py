"""The results of a table, read from its folder."""

from __future__ import annotations

import json

import numpy as np
import pytest

from metastruct.config.published import METRICS
from metastruct.paper import results, sources
from metastruct.paper.results import read
from metastruct.paper.sources import costs, local_ranks, searched
from metastruct.runs.tables import as_csv

FIELD, TRAJECTORY = METRICS

NAN = float("nan")


def written(folder, fields, trajectories, domains=("pendulum", "duffing", "duffing")):
    """A table of one run with these errors."""
    line = {"run": "r", "seed": 0, "label": "system=damped_chain system.oscillators=4 net.width=32"}
    rows = [
        {"run": "r", "task": task, "domain": domain, "component": component, "metric": metric, "value": value}
        for metric, values in ((FIELD, fields), (TRAJECTORY, trajectories), ("ssim", [1.0, 1.0, 1.0]))
        for component in ("", "q")
        for task, (domain, value) in enumerate(zip(domains, values, strict=True))
    ]
    for row in rows:
        row["value"] = row["value"] if not row["component"] else 77.0
    folder.mkdir(exist_ok=True)
    (folder / "runs.csv").write_text(as_csv([line]))
    (folder / "records.csv").write_text(as_csv(rows))
    return read(folder)


def test_a_folder_without_records_reads_as_none(tmp_path):
    assert read(tmp_path) is None


def test_values_of_the_whole_state_are_read_in_the_order_of_the_tasks(tmp_path):
    (run,) = written(tmp_path / "t", [0.1, 0.2, 0.3], [1.0, 2.0, 3.0]).runs
    np.testing.assert_array_equal(run.values[FIELD], [0.1, 0.2, 0.3])
    assert run.domains == ("pendulum", "duffing", "duffing")
    assert run["setting"] == "n = 4, width 32"


def test_diverged_tasks_are_counted_and_left_out_of_means_of_trajectories(tmp_path):
    (run,) = written(tmp_path / "t", [0.1, 0.2, 0.6], [0.5, NAN, 10.5]).runs
    np.testing.assert_array_equal(run.lost, [False, True, True])
    assert run.mean(TRAJECTORY) == 0.5
    assert run.mean(FIELD) == pytest.approx(0.3)  # a field is known where a rollout is not


def test_a_field_that_is_not_finite_has_diverged(tmp_path):
    (run,) = written(tmp_path / "t", [0.1, NAN, 0.3], [0.5, 0.5, 10.0]).runs
    np.testing.assert_array_equal(run.lost, [False, True, False])
    assert run.mean(FIELD) == pytest.approx(0.2)


def test_means_of_a_domain_take_its_tasks_alone(tmp_path):
    (run,) = written(tmp_path / "t", [0.1, 0.2, 0.4], [1.0, 2.0, NAN]).runs
    assert run.mean(FIELD, "duffing") == pytest.approx(0.3)
    assert run.mean(TRAJECTORY, "duffing") == 2.0
    assert np.isnan(run.mean(TRAJECTORY, "morse"))


def test_a_run_whose_records_are_missing_is_refused(tmp_path):
    written(tmp_path / "t", [0.1, 0.2, 0.4], [1.0, 2.0, 3.0])
    (tmp_path / "t" / "runs.csv").write_text(as_csv([{"run": "other", "seed": 0, "label": ""}]))
    with pytest.raises(ValueError, match=r"every task of other.*reproduce.py table=t"):
        read(tmp_path / "t")


def test_a_metric_that_is_younger_than_a_table_is_none_of_its_errors(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "headline_errors", lambda: (FIELD, "support_loss", TRAJECTORY))
    assert written(tmp_path / "t", [0.1, 0.2, 0.3], [1.0, 2.0, 3.0]).errors == METRICS
    with pytest.raises(ValueError, match="must hold support_loss of every task of r"):
        read(tmp_path / "t", errors=(FIELD, "support_loss"))


def test_searched_settings_are_shown_with_the_errors_that_all_of_them_have(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "headline_errors", lambda: (FIELD, "ssim"))
    choices = {"maml": {FIELD: 0.1, "ssim": 0.9}, "anil": {FIELD: 0.2}}
    for methods, shown in ((["maml", "anil"], ["10.0", "20.0"]), (["maml"], ["10.0 / 0.9"])):
        chosen = {name: {"overrides": [], "seeds": [0], **choices[name]} for name in methods}
        (tmp_path / "chosen.json").write_text(json.dumps({"pendulum": chosen}))
        lines = searched(tmp_path)
        assert [[*line.values()][3] for line in lines] == shown
    assert "field (x 1e-2) / SSIM" in lines[0]


def test_a_table_is_complete_with_all_planned_runs(tmp_path):
    folder = tmp_path / "t"
    assert written(folder, [0.1] * 3, [0.1] * 3).complete
    (folder / "provenance.json").write_text(json.dumps({"of": 2}))
    assert not read(folder).complete
    (folder / "provenance.json").write_text(json.dumps({"of": 1}))
    assert read(folder).complete


def test_numbers_are_put_in_their_own_order(tmp_path):
    results = written(tmp_path / "t", [0.1] * 3, [0.1] * 3)
    for shots in ("100", "5", "20"):
        results.runs[0].settings["shots"] = shots
        results = type(results)("t", (*results.runs, type(results.runs[0])({"shots": shots}, {}, ())))
    assert results.different("shots") == ["5", "20", "100"]


def test_a_table_whose_yaml_has_changed_is_not_complete(tmp_path):
    written(tmp_path / "t", [0.1] * 3, [0.1] * 3)
    (tmp_path / "t" / "provenance.json").write_text(json.dumps({"of": 1, "yaml": "a"}))
    assert read(tmp_path / "t").complete
    assert read(tmp_path / "t", "a").complete
    assert not read(tmp_path / "t", "b").complete
    assert "before its yaml was changed" in read(tmp_path / "t", "b").progress


def test_local_ranks_costs_and_searched_settings(tmp_path):
    (tmp_path / "records.csv").write_text("system,metric,value\nmorse,local rank,2 to 3\nmorse,parameters,4\n")
    assert local_ranks(tmp_path) == {"morse": 3}
    (tmp_path / "records.csv").write_text("method,adapted_numbers,seconds,peak_bytes\nmaml,8000,0.5,1024\n")
    assert [cost.numbers for cost in costs(tmp_path)["maml"]] == [8000]
    assert searched(tmp_path) == []
    chosen = {"overrides": ["a=1"], "field_error": 0.1, "trajectory_error": 0.2, "seeds": [0, 1]}
    (tmp_path / "chosen.json").write_text(json.dumps({"pendulum": {"maml": chosen}}))
    (line,) = searched(tmp_path)
    assert [*line.values()] == ["pendulum", "maml", "a=1", "10.0 / 20.0", "2"]
    assert local_ranks(tmp_path / "nowhere") == costs(tmp_path / "nowhere") == {}
