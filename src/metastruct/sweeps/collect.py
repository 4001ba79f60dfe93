"""The results of record of a table: outputs/reference/TABLE/, made from the finished run folders alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from metastruct.reports.tables import as_csv, error_table, read_records
from metastruct.runs.files import write_atomically
from metastruct.runs.provenance import git_commit, machine, versions
from metastruct.sweeps.table import Planned, Table


def collect(table: Table, failed: Mapping[Path, str], folder: Path, command: str) -> int:
    """Write records.csv, runs.csv, provenance.json and, where runs failed, failed.csv; returns the number of runs."""
    finished = [(job, metrics) for job in table.jobs if (metrics := job.run.finished()) is not None]
    if finished:
        rows = [row for job, _ in finished for row in kept(job, table)]
        write_atomically(folder / "records.csv", as_csv(rows))
        if table.summary:
            write_atomically(folder / "table.md", error_table(by_setting(finished)))
        if table.portrait:
            portray(finished[0][0], folder)
        lines = [described(job, metrics) for job, metrics in finished]
        write_atomically(folder / "runs.csv", as_csv(lines))
        write_atomically(
            folder / "provenance.json",
            json.dumps(provenance(table, [job for job, _ in finished], lines, command), indent=2) + "\n",
        )
    listed = [
        {"label": job.label, "overrides": f"{job.label} seed={job.seed}", "error": failed[job.folder]}
        for job in table.jobs
        if job.folder in failed
    ]
    if listed:
        write_atomically(folder / "failed.csv", as_csv(listed))
    else:
        (folder / "failed.csv").unlink(missing_ok=True)
    return len(finished)


def by_setting(finished: Sequence[tuple[Planned, Any]]) -> dict[str, list[dict[str, str]]]:
    """The rows of the runs of each setting, under its words."""
    runs: dict[str, list[Path]] = {}
    for job, _ in finished:
        runs.setdefault(job.label, []).append(job.run.records)
    return {label: read_records(paths) for label, paths in runs.items()}


def portray(job: Planned, folder: Path) -> None:
    """Draw the figures of a run, if it has none, and copy its phase portrait and its metrics."""
    from metastruct.reports.figures import draw_all

    if not job.run.figures.exists():
        draw_all(job.run.evaluation, job.run.figures)
    for path in (job.run.figures / "phase_portrait.png", job.run.metrics):
        write_atomically(folder / path.name, path.read_bytes())


def kept(job: Planned, table: Table) -> list[dict[str, str]]:
    """The rows of a run that the table keeps: values of the whole state, of the table's metrics."""
    rows = read_records([job.run.records])
    wanted = [row for row in rows if row["metric"] in table.metrics and not row["component"]]
    return [row | {"experiment": table.name} for row in wanted]


def described(job: Planned, metrics: dict[str, Any]) -> dict[str, Any]:
    """A run's line of runs.csv: the settings that tables compare, and what the run cost."""
    cfg, seconds, sizes = job.settings, metrics["seconds"], metrics["parameters"]

    def setting(key: str) -> Any:
        value = OmegaConf.select(cfg, key)
        return "" if value is None else value

    return {
        "run": metrics["run"],
        "table": job.table,
        "label": job.label,
        "overrides": f"{job.label} seed={job.seed}",
        "system": cfg.system.name,
        "method": job.method,
        "learner": job.learner,
        "modulation": cfg.modulation.name,
        "dynamics": job.dynamics,
        "seed": job.seed,
        "rank": setting("modulation.rank"),
        "code_dim": setting("modulation.code_dim"),
        "lambda_z": cfg.locality.lambda_z,
        "lambda_phi": cfg.locality.lambda_phi,
        "train_tasks": cfg.data.train_tasks,
        "shots": metrics["shots"],
        "steps": metrics["steps"],
        "adaptation": metrics["adaptation"],
        "start": metrics["start"],
        "codes": setting("learner.codes"),
        "schedule": setting("learner.schedule"),
        "noise": cfg.data.noise,
        "orthogonality": ("exact" if cfg.modulation.exact else "soft") if "exact" in cfg.modulation else "",
        "training_steps": metrics["training_steps"],
        "base_parameters": sizes["base"],
        "hypernetwork_parameters": sizes["hypernetwork"],
        "code_numbers": sizes["code"],
        "training_seconds": round(seconds["training"], 2),
        "adaptation_seconds": round(seconds["adaptation"], 3),
        "total_seconds": round(seconds["total"], 2),
        "diverged_tasks": metrics["diverged_tasks"],
        "test_tasks": cfg.data.test_tasks,
        "training_diverged_at": "" if metrics["training_diverged_at"] is None else metrics["training_diverged_at"],
        "commit": metrics["commit"],
        "date": metrics["date"],
        "machine": f"{metrics['machine']['cores']} cores, {metrics['machine']['platform']}",
    }


def provenance(table: Table, jobs: Sequence[Planned], lines: Sequence[dict[str, Any]], command: str) -> dict[str, Any]:
    """Where a table's numbers come from; a training that several runs share is counted once in the seconds."""
    steps = sorted({str(job.outer_steps) for job in table.jobs}, key=int)
    trained = {job.training: line["training_seconds"] for job, line in zip(jobs, lines, strict=True)}
    measured = sum(max(line["total_seconds"] - line["training_seconds"], 0.0) for line in lines)
    return {
        "title": table.title,
        "command": command,
        "runs": len(lines),
        "of": len(table.jobs),
        "outer_steps": steps,
        "machine_seconds": round(sum(trained.values()) + measured),
        "commits": sorted({line["commit"] for line in lines}),
        "machine": machine(),
        "versions": versions(),
        "collected": {"commit": git_commit(), "date": datetime.now(UTC).isoformat(timespec="seconds")},
    }
