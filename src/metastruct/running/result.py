"""The table at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from metastruct.config.facts import described, in_order, metric_facts, providing, settings_of
from metastruct.config.pieces import plain
from metastruct.config.published import NOTE, PAPER_YAML, PUBLISHED
from metastruct.config.schema import Config
from metastruct.running.tracking.console import new_console
from metastruct.runs.folder import RunFolder

SPREAD = "forecast errors in % of the spread of what was seen; a constant has about 100"
TROUBLES = {"fits that did not converge": "unconverged_tasks", "unlike the training": "flagged_tasks"}


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
    lawless = any(
        metric_facts(name).needs.get("data", {}).get("measured") for name in {*in_order("metric")} & {*metrics}
    )
    alike = compared and metrics["dynamics"] in PAPER_YAML["dynamics"]
    published = PUBLISHED.get((metrics["system"], metrics["method"]), {}) if alike else {}
    words = (metrics["system"], metrics["method"], f"seed {metrics['seed']}", f"{observed(metrics)} of each new member")
    title = " · ".join(words)
    caption = NOTE if published else SPREAD if lawless else None
    table = Table(title=escape(title), title_justify="left", caption=caption, caption_justify="left")
    of_run = f"{'ours, ' if published else ''}mean ± std of {tasks} new members"
    for heading in ("", of_run, *(["published"] if published else [])):
        table.add_column(heading, justify="right" if heading else "left")
    rows = list[tuple[str, ...]]()
    for metric in in_order("metric"):
        facts = metric_facts(metric)
        if facts.headline == "always" or (facts.headline == "measured" and metric in metrics):
            paper = published.get(metric)
            if paper is None and metrics[metric].get("per_task") is None:
                continue  # such as an error that wants a law
            rows.append((facts.plain_heading, facts.spread(metrics[metric]), "-" if paper is None else f"{paper:.2f}"))
            for domain, values in metrics.get("domains", {}).items() if facts.headline_error else ():
                rows.append((escape(f"  {domain}"), facts.spread(values[metric])))
    lost = "-" if metrics["diverged_tasks"] is None else f"{metrics['diverged_tasks']} of {tasks}"
    rows.append(("forecasts that diverged", f"[bold red]{lost}[/bold red]" if metrics["diverged_tasks"] else lost))
    for heading, key in TROUBLES.items():
        if (number := metrics.get(key)) is not None:
            text = f"{number} of {tasks}"
            rows.append((heading, f"[bold red]{text}[/bold red]" if number else text))
    if metrics.get("training_diverged_at") is not None:
        rows.append(("training", f"[bold red]DIVERGED at outer step {metrics['training_diverged_at']}[/bold red]"))
    counts, seconds = metrics["parameters"], metrics["seconds"]
    sizes = f"{counts['base']:,} shared + {counts['hypernetwork']:,} hyper + {counts['code']} a member"
    rows.append(("parameters", sizes))
    rows.append(("time", f"{seconds['training']:.0f} s training, {seconds['adaptation']:.1f} s adaptation"))
    for row in rows:
        table.add_row(*row[: len(table.columns)], *(["-"] if published and len(row) < 3 else []))
    console.print(table)
    for line in (*_advice(metrics, tasks), f"results in {folder}", *_next(folder)):
        console.print(line, soft_wrap=True, markup=False)


def observed(metrics: Mapping[str, Any]) -> str:
    """From how many observations each test member was fitted, in words."""
    count = metrics.get("observations")
    if count is None:  # of a run that did not count them
        return f"at most {metrics['shots']} observations"
    least, most = count["least"], count["most"]
    return f"{most} observations" if least == most else f"{least} to {most} observations"


def _advice(metrics: Mapping[str, Any], tasks: int) -> Iterator[str]:
    """What it means that members went wrong, and what helps."""
    if metrics.get("unconverged_tasks"):
        yield (
            "- a fit that did not converge took all its steps without reaching a minimum: its code is rough; try more, "
            "such as adaptation.steps=200"
        )
    flagged = metrics.get("flagged_tasks") or 0
    if flagged:
        yield (
            "- a member unlike the training is explained by no code (wrong samples: try data.outliers=6; other units; "
            "more noise), or by one far from those of training; metastruct adapt says of a member which"
        )
    if 2 * flagged > tasks:
        yield (
            f"- most are: there may be too few members or steps to learn from, or their states do not obey "
            f"{metrics['dynamics']} dynamics; {providing('dynamics', 'control')} supposes nothing and tells these apart"
        )


def _next(folder: Path) -> Iterator[str]:
    """What there is to look at, and what can be done with a run."""
    figures = sorted({path.stem for path in RunFolder(folder).figures.glob("*.*")})
    if figures:
        yield f"figures in {RunFolder(folder).figures}: {', '.join(figures)}"
    else:
        yield "without figures; evaluation.figures=true with the words of the run draws them"
    yield f"next: metastruct show {folder} --open; of a new member: metastruct adapt {folder} MEMBER.csv"
