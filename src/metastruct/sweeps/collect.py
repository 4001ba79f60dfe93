"""The results of record of a table: outputs/reference/TABLE/, made from finished run folders."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from metastruct.running.places import family_name
from metastruct.runs.files import set_aside, write_atomically
from metastruct.runs.provenance import here, named
from metastruct.runs.refusals import Unwritten
from metastruct.runs.tables import PORTRAIT, as_csv, read_records
from metastruct.sweeps.table import Planned, Table

EVALUATION = ("adaptation", "rollouts", "metrics", "figures")  # seconds of a run besides those of its training


def collect(table: Table, failed: Mapping[Path, str], folder: Path, command: str) -> int:
    """Write records.csv, runs.csv, provenance.json and, where runs failed, failed.csv.

    A run whose folder is gone, but that is on record already, keeps its rows; one that the table no longer holds
    loses them.

    Returns:
        the number of runs on record.
    """
    finished = [(job, metrics) for job in table.jobs if (metrics := job.run.finished()) is not None]
    by_run = {job.folder.name: RunRecord(described(job, metrics), kept(job, table)) for job, metrics in finished}
    by_name = on_record(folder) | by_run
    recorded = {job: by_name[job.folder.name] for job in table.jobs if job.folder.name in by_name}
    if recorded:
        columns = next(iter((by_run or by_name).values())).columns
        recorded = {job: record.with_columns(*columns) for job, record in recorded.items()}
        records = as_csv([row for record in recorded.values() for row in record.rows])
        runs = as_csv([record.line for record in recorded.values()])
        if (records, runs, table.digest) != as_written(folder):  # else they still come from where they came from
            write_atomically(folder / "records.csv", records)
            write_atomically(folder / "runs.csv", runs)
            text = json.dumps(provenance(table, recorded, command), indent=2)
            write_atomically(folder / "provenance.json", text + "\n")
        if table.portrait and table.jobs[0].folder.name in by_run:
            try:
                portray(table.jobs[0], folder)
            except Unwritten:
                raise
            except (OSError, ValueError) as error:  # of one run, which stops no other table
                print(f"{folder / PORTRAIT} is not drawn: {' '.join(str(error).split())}", file=sys.stderr)
    listed = [
        {"label": job.label, "overrides": f"{job.label} seed={job.seed}", "error": failed[job.folder]}
        for job in table.jobs
        if job.folder in failed
    ]
    if listed:
        write_atomically(folder / "failed.csv", as_csv(listed))
    else:
        (folder / "failed.csv").unlink(missing_ok=True)
    return len(recorded)


def as_written(folder: Path) -> tuple[str, str, str] | None:
    """The records, the runs and the digest of the yaml that are there; None where one is missing or cannot be read."""
    try:
        origin = json.loads((folder / "provenance.json").read_text())
        return *((folder / name).read_bytes().decode() for name in ("records.csv", "runs.csv")), origin["yaml"]
    except (OSError, ValueError, KeyError):
        return None


@dataclass(frozen=True)
class RunRecord:
    """A run's line of runs.csv and its rows of records.csv."""

    line: Mapping[str, Any]
    rows: list[dict[str, str]]

    @property
    def columns(self) -> tuple[tuple[str, ...], ...]:
        """Of both files."""
        return tuple(self.line), tuple(self.rows[0])

    def with_columns(self, of_line: Sequence[str], of_rows: Sequence[str]) -> RunRecord:
        """The same under other columns, as of another version; what it does not have is empty."""
        line = {name: self.line.get(name, "") for name in of_line}
        return RunRecord(line, [{name: row.get(name, "") for name in of_rows} for row in self.rows])


def on_record(folder: Path) -> dict[str, RunRecord]:
    """The runs whose results a folder of record holds, by the name of their run folder; damaged ones are set aside."""
    lines, records = folder / "runs.csv", folder / "records.csv"
    if not (lines.exists() and records.exists()):
        return {}
    rows: dict[str, list[dict[str, str]]] = {}
    try:
        for row in read_records([records]):
            rows.setdefault(row["run"], []).append(row)
        return {
            line["run"]: RunRecord(line, rows[line["run"]]) for line in read_records([lines]) if line["run"] in rows
        }
    except (ValueError, KeyError) as error:
        aside = " and ".join(set_aside(path).name for path in (lines, records))
        reason = "it lacks a column" if isinstance(error, KeyError) else error
        print(f"{folder} holds damaged results, which are set aside as {aside}: {reason}", file=sys.stderr)
        return {}


def portray(job: Planned, folder: Path) -> None:
    """Draw the phase portrait of a run, and copy its metrics."""
    from metastruct.evaluation.figures.run import draw_portrait

    portrait = folder / PORTRAIT
    draw_portrait(job.run.evaluation, portrait, portrait.with_suffix(".pdf"))
    write_atomically(folder / job.run.metrics.name, job.run.metrics.read_bytes())


def kept(job: Planned, table: Table) -> list[dict[str, str]]:
    """The rows of a run that the table keeps: values of the whole state, of the table's metrics."""
    rows = read_records([job.run.records])
    table_rows = [row for row in rows if row["metric"] in table.metrics and not row["component"]]
    return [row | {"experiment": table.name} for row in table_rows]


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
        "system": family_name(cfg),
        "method": job.method,
        "learner": job.learner,
        "modulation": cfg.modulation.name,
        "dynamics": job.dynamics,
        "seed": job.seed,
        "rank": setting("modulation.rank"),
        "code_dim": setting("modulation.code_dim"),
        "lambda_z": cfg.locality.lambda_z,
        "lambda_phi": cfg.locality.lambda_phi,
        "train_tasks": setting("data.train_tasks"),
        "shots": metrics["shots"],
        "steps": metrics["steps"],
        "adaptation": metrics["adaptation"],
        "start": metrics["start"],
        "codes": setting("learner.codes"),
        "schedule": setting("learner.schedule"),
        "noise": setting("data.noise"),
        "orthogonality": ("exact" if cfg.modulation.exact else "soft") if "exact" in cfg.modulation else "",
        "training_steps": metrics["training_steps"],
        "base_parameters": sizes["base"],
        "hypernetwork_parameters": sizes["hypernetwork"],
        "code_numbers": sizes["code"],
        "training_seconds": round(seconds["training"], 2),
        "adaptation_seconds": round(seconds["adaptation"], 3),
        "evaluation_seconds": round(sum(seconds.get(part, 0.0) for part in EVALUATION), 2),
        "total_seconds": round(seconds["total"], 2),
        "diverged_tasks": metrics["diverged_tasks"],
        "test_tasks": setting("data.test_tasks"),
        "training_diverged_at": "" if metrics["training_diverged_at"] is None else metrics["training_diverged_at"],
        "commit": metrics["commit"],
        "date": metrics["date"],
        "machine": named(metrics["machine"]),
        "torch": metrics["versions"]["torch"],
    }


def provenance(table: Table, recorded: Mapping[Planned, RunRecord], command: str) -> dict[str, Any]:
    """Where a table's numbers come from; a training that several runs share is counted once in the seconds.

    Commits, machines and versions of torch are those of the runs; `collected` is about the command that wrote this.
    """

    def of_runs(name: str) -> list[str]:
        return sorted({line[name] for line in lines if line[name]})

    lines = [record.line for record in recorded.values()]
    steps = sorted({str(job.outer_steps) for job in table.jobs if job.outer_steps is not None}, key=int)
    trained = {job.training: float(record.line["training_seconds"]) for job, record in recorded.items()}
    measured = sum(float(line["evaluation_seconds"] or 0.0) for line in lines)
    return {
        "title": table.title,
        "command": command,
        "yaml": table.digest,
        "runs": len(lines),
        "of": len(table.jobs),
        "outer_steps": steps,
        "machine_seconds": round(sum(trained.values()) + measured),
        "commits": of_runs("commit"),
        "machines": of_runs("machine"),
        "torch": of_runs("torch"),
        "collected": here(),
    }
