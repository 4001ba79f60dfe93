"""The folder of a finished run without the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metastruct.runs.folder import RunFolder
from metastruct.runs.records import write_records

SUMMARY: dict[str, Any] = {
    **{name: "" for name in ("run", "system", "learner", "adaptation", "start", "date", "commit")},
    **{"method": "shift", "dynamics": "hamiltonian", "seed": 0, "shots": 10, "steps": 20, "training_steps": 10},
    **{"records": 0, "diverged_tasks": 0, "training_diverged_at": None},
    "parameters": {"base": 1, "hypernetwork": 1, "code": 1},
    "seconds": {"training": 50.0, "adaptation": 1.0, "total": 60.0},
    "machine": {"platform": "", "cores": 1},
    "versions": {"torch": ""},
}


def finish(folder: Path, **metrics: Any) -> RunFolder:
    """Leave what a run without a record leaves, with these metrics."""
    run = RunFolder(folder)
    write_records(run.records, [])
    run.metrics.write_text(json.dumps(SUMMARY | metrics))
    return run
