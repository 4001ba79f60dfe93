"""The table at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from metastruct.config.facts import described, in_order, metric_facts, settings_of
from metastruct.config.pieces import plain
from metastruct.config.published import NOTE, PAPER_YAML, PUBLISHED
from metastruct.config.schema import Config
from metastruct.running.tracking.console import new_console
from metastruct.runs.folder import RunFolder


def comparable(config: Config) -> bool:
    """Are a run's system and what is seen of it as they are by default, as beside the paper's numbers they must be?"""
    if config.system is None or config.start is not None or config.shots != Config().shots:
        return False
    usual = settings_of("system", config.system["name"]).get("parameters")
    yaml = described("data", config.data["name"])
    off = [name for name in config.data if yaml.get(name, ...) in (None, 0)]
    return not any(config.data[name] for name in off) and config.system.get("parameters") == plain(usual)


def print_result(metrics: dict[str, Any], folder: Path, compared: bool = True) -> None:
    """This run, beside the published numbers where its system, method and dynamics are those of the paper.

    Args:
        compared: are its other settings such that they may stand there?
    """
    console = new_console()
    measured = (value.get("per_task") for value in metrics.values() if isinstance(value, dict))
    tasks = len(next(filter(None, measured), ()))
    alike = compared and metrics["dynamics"] in PAPER_YAML["dynamics"]
    published = PUBLISHED.get((metrics["system"], metrics["method"]), {}) if alike else {}
    name, shots = (metrics[key] for key in ("system", "shots"))
    title = f"{name} · {metrics['method']} · seed {metrics['seed']} · up to {shots} observations a task"
    caption = NOTE if published else None
    table = Table(title=escape(title), title_justify="left", caption=caption, caption_justify="left")
    for heading in ("", f"ours, mean ± std of {tasks} tasks", *(["published"] if published else [])):
        table.add_column(heading, justify="right" if heading else "left")
    rows = list[tuple[str, ...]]()
    for metric in in_order("metric"):
        facts = metric_facts(metric)
        if facts.headline == "always" or (facts.headline == "measured" and metric in metrics):
            paper = published.get(metric)
            rows.append((facts.heading, facts.spread(metrics[metric]), "-" if paper is None else f"{paper:.2f}"))
            for domain, values in metrics.get("domains", {}).items() if facts.headline_error else ():
                rows.append((escape(f"  {domain}"), facts.spread(values[metric])))
    lost = "-" if metrics["diverged_tasks"] is None else f"{metrics['diverged_tasks']} of {tasks}"
    rows.append(("diverged tasks", f"[bold red]{lost}[/bold red]" if metrics["diverged_tasks"] else lost))
    if (stuck := metrics.get("unconverged_tasks")) is not None:
        text = f"{stuck} of {tasks}"
        rows.append(("fits that did not converge", f"[bold red]{text}[/bold red]" if stuck else text))
    if metrics.get("training_diverged_at") is not None:
        rows.append(("training", f"[bold red]DIVERGED at outer step {metrics['training_diverged_at']}[/bold red]"))
    counts, seconds = metrics["parameters"], metrics["seconds"]
    rows.append(("parameters", f"{counts['base']:,} base + {counts['hypernetwork']:,} hyper + {counts['code']} code"))
    rows.append(("time", f"{seconds['training']:.0f} s training, {seconds['adaptation']:.1f} s adaptation"))
    for row in rows:
        table.add_row(*row[: len(table.columns)], *(["-"] if published and len(row) < 3 else []))
    console.print(table)
    for line in (f"results in {folder}", *_next(folder)):
        console.print(line, soft_wrap=True, markup=False)


def _next(folder: Path) -> Iterator[str]:
    """What there is to look at, and what can be done with a run."""
    figures = sorted({path.stem for path in RunFolder(folder).figures.glob("*.*")})
    if figures:
        yield f"figures in {RunFolder(folder).figures}: {', '.join(figures)}"
    else:
        yield "without figures; evaluation.figures=true with the words of the run draws them"
    yield f"next: metastruct show {folder} --open; of a new member: metastruct adapt {folder} MEMBER.csv"
