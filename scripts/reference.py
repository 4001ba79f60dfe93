"""Results of record: python scripts/reference.py [main_job] [dissipative] [defaults]

main_job     the defaults with three seeds on every conservative system, and the paper's alternation
dissipative  GENERIC networks on the dissipative systems, both brackets, and how the error grows with dimension
defaults     one setting at a time changed from its default, one seed: why the defaults are what they are

Runs what is not finished, then writes records, table and, for the main job, a figure to outputs/reference/NAME/.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from metastruct.config import composed, method_name
from metastruct.reports.tables import Row, error_table, read_records
from metastruct.runs.files import write_atomically
from metastruct.runs.folder import RunFolder, run_folder

ROOT = Path(__file__).resolve().parents[1]
SVD = ("modulation=svd", "rank=5")
Settings = dict[str, tuple[str, ...]]
MAIN_JOB: Settings = {
    "pendulum": ("system=pendulum", *SVD),
    "mass_spring": ("system=mass_spring", *SVD),
    "duffing": ("system=duffing", *SVD),
    "pendulum (net=separable)": ("system=pendulum", *SVD, "net=separable"),
    "pendulum (the paper's alternation: N_in = 5, N_out = 1, 10 tasks a batch)": (
        *("system=pendulum", *SVD, "learner.schedule=alternating", "learner.task_batch=10"),
    ),
}
SVD3 = ("modulation=svd", "rank=3")  # the paper's setting for dissipative systems
DISSIPATIVE: Settings = {
    **{
        f"{system} ({bracket})": (f"system={system}", *SVD3, f"bracket={bracket}")
        for system in ("damped_oscillator", "two_gas_containers")
        for bracket in ("gnode", "nms")
    },
    "damped_oscillator (gnode, softplus)": ("system=damped_oscillator", *SVD3, "net.activation=softplus"),
    **{
        f"damped_chain ({n} oscillators, gnode)": ("system=damped_chain", *SVD3, f"system.oscillators={n}")
        for n in (1, 2, 4, 8)
    },
}
CHANGES = (
    *("net.activation=softplus", "net.activation=tanh", "net.activation=sine", "net.depth=2"),
    *("modulation.code_dim=2", "modulation.code_dim=4", "modulation.code_dim=8", "modulation.scale=0.3"),
    *("modulation.tags=[input,hidden]", "modulation.nonnegative=false", "modulation.hidden=32"),
    *("optimizer.base_rate=1e-3", "optimizer.base_rate=8e-3", "optimizer.code_rate=3e-2", "optimizer.beta2=0.999"),
    *("locality=none", "locality=weak", "locality=strong", "learner.point_batch=8", "learner.point_batch=32"),
)
# At half the steps a width of 128 takes the time of a width of 64.
DEFAULTS: Settings = {"pendulum (defaults)": ("system=pendulum", *SVD)} | {
    f"pendulum ({change})": ("system=pendulum", *SVD, *change.split())
    for change in (*CHANGES, "net.width=48", "net.width=128 trainer.steps=6000", "trainer.steps=24000")
}
TABLES: dict[str, tuple[Settings, tuple[int, ...]]] = {
    "main_job": (MAIN_JOB, (0, 1, 2)),
    "dissipative": (DISSIPATIVE, (0, 1, 2)),
    "defaults": (DEFAULTS, (0,)),
}


def runs(overrides: tuple[str, ...], seeds: tuple[int, ...]) -> list[RunFolder]:
    """The run folders of a setting, one a seed, run now where they are not finished."""
    folders = []
    for seed in seeds:
        cfg = composed(*overrides, f"seed={seed}", f"outputs={ROOT / 'outputs'}")
        settings: Any = OmegaConf.to_container(cfg, resolve=True)
        folders.append(run_folder(settings, method_name(cfg)))
    if not all(folder.finished() for folder in folders):
        listed = f"seed={','.join(map(str, seeds))}"
        command = [sys.executable, str(ROOT / "train.py"), "-m", *overrides, listed, f"outputs={ROOT / 'outputs'}"]
        subprocess.run(command, check=True, stdout=sys.stderr, cwd=ROOT)
    return folders


def write_table(name: str) -> str:
    """Run what is missing of a table and write its folder of record; returns the table."""
    settings, seeds = TABLES[name]
    folder = ROOT / "outputs" / "reference" / name
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[Row]] = {}
    for label, overrides in settings.items():
        finished = runs(overrides, seeds)
        rows[label] = [row | {"experiment": label} for row in read_records(run.records for run in finished)]
        if label == "pendulum":
            shutil.copy(finished[0].figures / "phase_portrait.png", folder)
            shutil.copy(finished[0].metrics, folder)
    everything = [row for some in rows.values() for row in some]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, everything[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(everything)
    write_atomically(folder / "records.csv", text.getvalue())
    write_atomically(folder / "table.md", error_table(rows))
    return error_table(rows)


if __name__ == "__main__":
    for table in sys.argv[1:] or TABLES:
        if table not in TABLES:
            raise SystemExit(f"error: there is no table {table!r}; choose from {', '.join(TABLES)}")
        print(write_table(table))
