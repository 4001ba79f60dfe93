"""The workspace of Weights & Biases as code: one section a question, every panel over what `wandb.py` logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import wandb_workspaces.reports.v2 as panels
import wandb_workspaces.workspaces as workspaces

from metastruct.config.facts import headline_errors, metric_facts
from metastruct.runs.files import write_atomically

NAME = "MetaStruct"
COLUMNS = (
    *("config:table.value", "config:method.value", "config:system.value.name", "config:seed.value"),
    *(f"summary:test/{error}" for error in headline_errors()),
)
FIGURES = ("phase_portrait", "energy", "field_error", "adaptation", "codes", "training", "singular_values", "entropy")
MOST_RUNS = 500  # in one panel; a table has a few hundred


def dashboard(project: str, entity: str = "") -> workspaces.Workspace:
    """The workspace of a project; the entity is the user or the team that it is pushed to."""
    by_method = panels.Config("method")
    drift = panels.SummaryMetric("test/energy_drift")
    sections = {
        "Error against parameters": [
            _scatter("parameters", panels.SummaryMetric("parameters/total"), error) for error in headline_errors()
        ],
        "Error against shots": [_scatter("shots", panels.Config("shots"), error) for error in headline_errors()],
        "Training, by method": [
            panels.LinePlot(
                title="training loss",
                x="outer_step",
                y=["train/loss"],
                log_y=True,
                groupby=by_method,
                groupby_rangefunc="minmax",
                max_runs_to_show=MOST_RUNS,
            )
        ],
        "Energy drift": [
            panels.BarPlot(title="energy drift", metrics=["test/energy_drift"], groupby=by_method),
            panels.ScatterPlot(
                title="true energy drift against the model's own",
                x=drift,
                y=panels.SummaryMetric("test/true_energy_drift"),
                log_x=True,
                log_y=True,
            ),
        ],
        "Images": [
            panels.MediaBrowser(title=figure.replace("_", " "), media_keys=[f"figures/{figure}"], num_columns=3)
            for figure in FIGURES
        ],
    }
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=[workspaces.Section(name=name, panels=shown, is_open=True) for name, shown in sections.items()],
        settings=workspaces.WorkspaceSettings(max_runs=MOST_RUNS),
        runset_settings=workspaces.RunsetSettings(pinned_columns=list(COLUMNS)),
    )


def _scatter(words: str, x: Any, error: str) -> panels.ScatterPlot:
    """An error against something, both logarithmic."""
    title, y = f"{metric_facts(error).label} against {words}", panels.SummaryMetric(f"test/{error}")
    return panels.ScatterPlot(title=title, x=x, y=y, log_x=True, log_y=True)


def spec(workspace: workspaces.Workspace) -> dict[str, Any]:
    """What would be sent: the view as a JSON tree, empty entries left out."""
    return workspace._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)


def shown(tree: Any, key: str = "") -> set[str]:
    """Everything that the panels of a spec show: names of logged metrics, and "config:NAME" of settings."""
    if isinstance(tree, dict):
        return set().union(*(shown(value, name) for name, value in tree.items()))
    if isinstance(tree, list):
        return set().union(*(shown(value, key) for value in tree))
    if key == "groupBy":
        return {f"config:{tree}".removesuffix(".value")}
    if key in ("xAxis", "yAxis", "metrics", "mediaKeys") and not str(tree).startswith("_"):
        return {str(tree).removeprefix("summary:").removesuffix(".value")}
    return set()


def write(workspace: workspaces.Workspace, path: Path) -> None:
    """Write the spec, which also remembers the view that was saved last."""
    write_atomically(path, json.dumps(spec(workspace), indent=2) + "\n")


def push(workspace: workspaces.Workspace, path: Path) -> str:
    """Save the workspace and return its address; one that this file tells of is updated, not made a second time."""
    try:
        last = json.loads(path.read_text())
    except (OSError, ValueError):
        last = {}
    if (last.get("entity"), last.get("project")) == (workspace.entity, workspace.project):
        workspace._internal_name, workspace._internal_id = last.get("name", ""), last.get("id", "")
    workspace.save()
    write(workspace, path)
    return workspace.url
