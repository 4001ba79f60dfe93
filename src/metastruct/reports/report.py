"""From the results of record to everything that people look at: tables, figures, verdicts and the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from metastruct.reports.claims import CLAIMS, Claim, Finding
from metastruct.reports.layout import LAYOUTS, Sheet
from metastruct.reports.page import Section, page
from metastruct.reports.plots import draw
from metastruct.reports.results import Results, read
from metastruct.reports.tables import as_csv
from metastruct.runs.files import write_atomically

OTHERS = {  # tables with a script of their own: title, command
    "local_rank": ("Affine dimension and local rank of the families", "python scripts/local_rank.py"),
    "long_horizon": ("Energy over 100 periods", "python scripts/long_horizon.py"),
    "adaptation_cost": ("What the adaptation to a new task costs", "python scripts/adaptation_cost.py"),
    "search": ("Searched settings", "python scripts/search_baselines.py"),
}


def report(folder: Path, say: Callable[[str], None]) -> Path:
    """Write the tables and figures beside their records, then claims.json, claims.md and report.html.

    Args:
        folder: with one folder a table.
        say: told about every step.
    """
    tables: dict[str, Results] = {}
    sections = []
    for name, layout in LAYOUTS.items():
        results = read(folder / name)
        if not results:
            say(f"{name}: not there yet, python scripts/reproduce.py table={name}")
            sections.append(Section(name, layout.title, missing=f"python scripts/reproduce.py table={name}"))
            continue
        tables[name] = results
        sections.append(_written(results, folder / name))
        say(f"{name}: {len(results.runs)} runs")
    for name, (title, command) in OTHERS.items():
        sections.append(_other(folder / name, name, title, command))
    cost = read(folder / "adaptation_cost")
    if cost:
        tables["adaptation_cost"] = cost
    findings = [(claim, claim.judged(tables)) for claim in CLAIMS]
    _claims(findings, folder)
    commits = sorted({run["commit"][:10] for results in tables.values() for run in results.runs})
    notes = [
        "Meta-learning of structure-preserving dynamics on simulated families of systems. The settings of the published "
        "numbers (ranges, horizons, network sizes, steps) are unknown and differ from ours.",
        f"Runs of commits {', '.join(commits)}." if commits else "No runs yet.",
    ]
    path = folder / "report.html"
    write_atomically(path, page(findings, sections, notes))
    for claim, finding in findings:
        say(f"{claim.name:5} {finding.verdict:9}  {claim.statement}")
    return path


def _written(results: Results, folder: Path) -> Section:
    sheet = Sheet.of(results)
    write_atomically(folder / "table.csv", as_csv(sheet.csv_lines()))
    write_atomically(folder / "table.md", sheet.markdown())
    write_atomically(folder / "table.tex", sheet.latex())
    figures = [path for path in draw(results, folder) if path.suffix == ".png"]
    return Section(results.name, sheet.layout.title, sheet.markdown(), figures)


def _other(folder: Path, name: str, title: str, command: str) -> Section:
    path = folder / "table.md"
    if not path.exists():
        return Section(name, title, missing=command)
    return Section(name, title, path.read_text(), sorted(folder.glob("*.png")))


def _claims(findings: list[tuple[Claim, Finding]], folder: Path) -> None:
    told = [
        {"claim": claim.name, "statement": claim.statement, "rule": claim.rule, "verdict": finding.verdict,
         "evidence": finding.evidence} for claim, finding in findings
    ]  # fmt: skip
    write_atomically(folder / "claims.json", json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    lines = ["| claim | of the paper | here |", "|---|---|---|"]
    lines += [f"| {claim.name} | {claim.statement} | {finding.verdict} |" for claim, finding in findings]
    write_atomically(folder / "claims.md", "\n".join([*lines, ""]))
