"""A sweep on Ray, where it is installed."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from metastruct.config import composed, method_name
from metastruct.launchers.launcher import Job, Outcome
from metastruct.launchers.ray import Ray
from metastruct.runs.folder import RunFolder, run_folder

pytest.importorskip("ray")


def test_every_job_runs_and_a_failure_stops_no_other(tiny_words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def job(*words: str) -> Job:
        every = (*tiny_words, *words)
        cfg = composed(*every)
        return Job(every, run_folder(OmegaConf.to_container(cfg, resolve=True), method_name(cfg)).path)  # type: ignore[arg-type]

    units = [[job("seed=0"), job("seed=0", "shots=5")], [job("optimizer.base_rate=1e9")]]
    found: list[Outcome] = []
    Ray().launch(units, found.append)
    outcomes = {outcome.job: outcome.error for outcome in found}
    assert len(outcomes) == len(found) == 3
    assert "the training loss is not finite" in outcomes[units[1][0]]
    for one in units[0]:
        assert outcomes[one] is None
        assert RunFolder(one.folder).finished() is not None
