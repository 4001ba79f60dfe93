"""Weights & Biases, offline unless told otherwise; never a login, never a prompt."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger

from metastruct.running.tracking.alone import first_rank
from metastruct.running.tracking.console import note
from metastruct.runs.folder import RunFolder

PATIENCE = 30.0  # seconds to reach a server


def wandb_logger(
    mode: str, project: str, folder: Path, name: str, group: str, tags: list[str], config: dict[str, Any]
) -> WandbLogger | None:
    """A logger whose id is the name of the run folder, so that a resumed run goes on in its own history.

    Curves named train/* are drawn over the outer steps, not over the trainer's own count. None where Weights & Biases
    cannot begin, as with variables WANDB_... that it does not take: a run needs it for nothing.
    """
    first_rank()
    if not os.environ.get("WANDB_MODE", "offline").strip():  # for us nothing, for it a word that means nothing
        del os.environ["WANDB_MODE"]
    folder.mkdir(parents=True, exist_ok=True)

    def begun(online: bool) -> Any:
        return wandb.init(
            project=project,
            name=name,
            id=name,
            dir=folder,
            mode="online" if online else "offline",
            group=group,
            tags=tags,
            config=config,
            resume="allow" if online else None,
            settings=wandb.Settings(silent=True, console="off", init_timeout=PATIENCE),
        )

    try:
        try:
            run = begun(mode == "online")
        except wandb.Error as error:  # no network for example, which must not end a run
            reason = " ".join(str(error).split())[:120]
            note(f"Weights & Biases cannot be reached ({reason}); the curves stay offline, and wandb sync sends them")
            run = begun(False)
    except (wandb.Error, ValueError) as error:
        note(f"Weights & Biases cannot begin ({' '.join(str(error).split())[:120]}); this run goes on without it")
        return None
    run.define_metric("outer_step")
    run.define_metric("train/*", step_metric="outer_step")
    run.define_metric("test/*", summary="last")
    return WandbLogger(experiment=run, log_model=False)


def log_results(logger: WandbLogger, metrics: dict[str, Any], folder: RunFolder, members: Sequence[str]) -> None:
    """What a run leaves: summary, figures, a table of its new members; model, configuration and records as files.

    Then the run is closed. What goes wrong is told and fails nothing: the results are on disk.

    Args:
        members: of the test, for people.
    """
    run = logger.experiment
    try:
        run.summary.update(summary(metrics))
        images = {f"figures/{path.stem}": wandb.Image(str(path)) for path in sorted(folder.figures.glob("*.png"))}
        columns, rows = of_members(metrics, members)
        run.log(images | {"members": wandb.Table(columns=[*columns], data=rows)})
        files = wandb.Artifact(folder.path.name, type="model", metadata={"method": metrics["method"]})
        for path in (folder.model, folder.config, folder.records):
            files.add_file(str(path.resolve()), policy="immutable")  # without a copy in the user's home
        run.log_artifact(files)
        run.finish()
    except (wandb.Error, OSError) as error:
        note(f"Weights & Biases does not have all of the results: {' '.join(str(error).split())[:120]}")


def of_members(metrics: dict[str, Any], members: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of a table: each new member with the value of every metric that was measured."""
    several = {name: value.get("per_task") for name, value in metrics.items() if isinstance(value, dict)}
    measured = {name: values for name, values in several.items() if values is not None}  # of what could be
    rows = [[member, *(values[place] for values in measured.values())] for place, member in enumerate(members)]
    return ["member", *measured], rows


def summary(metrics: dict[str, Any]) -> dict[str, int | float | str]:
    """The numbers of metrics.json that stand for a run; what could not be measured is left out."""
    entries: dict[str, Any] = {}
    for metric, value in metrics.items():
        if not isinstance(value, dict):
            entries[metric] = value
        elif "mean" in value:
            names = {"mean": f"test/{metric}", "std": f"test/{metric}_std", "median": f"test/{metric}_median"}
            entries |= {name: value[statistic] for statistic, name in names.items()}
        elif metric in ("parameters", "seconds"):
            entries |= {f"{metric}/{name}": number for name, number in value.items()}
    entries["parameters/total"] = entries["parameters/base"] + entries["parameters/hypernetwork"]
    return {name: value for name, value in entries.items() if isinstance(value, int | float | str)}
