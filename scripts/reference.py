"""Results of record of the main job: python scripts/reference.py

Runs the defaults with three seeds on every conservative system (what is finished is not repeated) and writes records,
table and figure to outputs/reference/main_job/.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from metastruct.config import CONF, method_name, register
from metastruct.reports.tables import Row, error_table, read_records
from metastruct.runs.files import write_atomically
from metastruct.runs.folder import RunFolder, run_folder

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "main_job"
SEEDS = (0, 1, 2)
SETTINGS = {
    "pendulum": ("system=pendulum", "modulation=svd", "rank=5"),
    "mass_spring": ("system=mass_spring", "modulation=svd", "rank=5"),
    "duffing": ("system=duffing", "modulation=svd", "rank=5"),
    "pendulum (net=separable)": ("system=pendulum", "modulation=svd", "rank=5", "net=separable"),
    "pendulum (the paper's alternation: N_in = 5, N_out = 1, 10 tasks a batch)": (
        *("system=pendulum", "modulation=svd", "rank=5"),
        *("learner.schedule=alternating", "learner.task_batch=10"),
    ),
}


def runs(overrides: tuple[str, ...]) -> list[RunFolder]:
    """The run folders of a setting, one a seed, run now where they are not finished."""
    register()
    folders = []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for seed in SEEDS:
            cfg = compose("train", [*overrides, f"seed={seed}", f"outputs={ROOT / 'outputs'}"])
            settings: Any = OmegaConf.to_container(cfg, resolve=True)
            folders.append(run_folder(settings, method_name(cfg)))
    if not all(folder.finished() for folder in folders):
        seeds = f"seed={','.join(map(str, SEEDS))}"
        command = [sys.executable, str(ROOT / "train.py"), "-m", *overrides, seeds, f"outputs={ROOT / 'outputs'}"]
        subprocess.run(command, check=True, stdout=sys.stderr, cwd=ROOT)
    return folders


def main() -> None:
    """Run what is missing, then write the folder of record."""
    rows: dict[str, list[Row]] = {}
    for label, overrides in SETTINGS.items():
        folders = runs(overrides)
        rows[label] = read_records(folder.records for folder in folders)
        if label == "pendulum":
            FOLDER.mkdir(parents=True, exist_ok=True)
            shutil.copy(folders[0].figures / "phase_portrait.png", FOLDER)
            shutil.copy(folders[0].metrics, FOLDER)
    everything = [row for some in rows.values() for row in some]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, everything[0].keys())
    writer.writeheader()
    writer.writerows(everything)
    write_atomically(FOLDER / "records.csv", text.getvalue())
    write_atomically(FOLDER / "table.md", error_table(rows))
    print(error_table(rows))


if __name__ == "__main__":
    main()
