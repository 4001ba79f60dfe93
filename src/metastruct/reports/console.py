"""The table at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from metastruct.reports.published import NOTE, PUBLISHED


def print_result(metrics: dict[str, Any], folder: Path) -> None:
    """This run beside the published number for its system and method."""
    console = Console(highlight=False)
    tasks = len(metrics["field_error"]["per_task"])
    title = (
        f"{metrics['system']} · {metrics['method']} · seed {metrics['seed']} · {metrics['shots']} observations a task"
    )
    table = Table(title=title, title_justify="left", caption=NOTE, caption_justify="left")
    for heading in ("", f"ours, mean ± std of {tasks} tasks", "published"):
        table.add_column(heading, justify="right" if heading else "left")
    published = PUBLISHED.get((metrics["system"], metrics["method"]), (None, None))
    for row, metric, theirs in (
        ("field error (x 1e-2)", "field_error", published[0]),
        ("trajectory error (x 1e-2)", "trajectory_error", published[1]),
    ):
        table.add_row(row, _spread(metrics[metric], 100), "-" if theirs is None else f"{theirs:.2f}")
        for domain, own in metrics.get("domains", {}).items():
            table.add_row(f"  {domain}", _spread(own[metric], 100), "-")
    table.add_row("SSIM", _spread(metrics["ssim"], 1, 4), "-")
    table.add_row("energy drift", _spread(metrics["energy_drift"], 1, 1, "e"), "-")
    if "entropy_production" in metrics:
        table.add_row("least entropy production", _spread(metrics["entropy_production"], 1, 1, "e"), "-")
    lost = f"{metrics['diverged_tasks']} of {tasks}"
    table.add_row("diverged tasks", f"[bold red]{lost}[/bold red]" if metrics["diverged_tasks"] else lost, "-")
    if metrics.get("training_diverged_at") is not None:
        table.add_row("training", f"[bold red]DIVERGED at outer step {metrics['training_diverged_at']}[/bold red]", "-")
    counts, seconds = metrics["parameters"], metrics["seconds"]
    table.add_row(
        "parameters", f"{counts['base']:,} base + {counts['hypernetwork']:,} hyper + {counts['code']} code", "-"
    )
    table.add_row("time", f"{seconds['training']:.0f} s training, {seconds['adaptation']:.1f} s adaptation", "-")
    console.print(table)
    console.print(f"results in {folder}", soft_wrap=True)


def _spread(metric: dict[str, Any], scale: float, digits: int = 2, form: str = "f") -> str:
    if metric["mean"] is None:
        return "-"
    return f"{scale * metric['mean']:.{digits}{form}} ± {scale * metric['std']:.{digits}{form}}"
