"""From the results of record to everything that people look at: tables, figures, verdicts and the page."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from metastruct.evaluation.effects import Estimate
from metastruct.paper import forms
from metastruct.paper.claims import CLAIMS, Claim, Finding
from metastruct.paper.layout import LAYOUTS
from metastruct.paper.long_horizon.table import write_study
from metastruct.paper.page import Section, page
from metastruct.paper.plots import draw
from metastruct.paper.results import Results, check_columns, read
from metastruct.paper.sheet import Sheet, short
from metastruct.paper.sources import SCRIPTED, Measured, command, costs, local_ranks, write_searched
from metastruct.runs.files import check_contained, write_atomically
from metastruct.runs.lines import markdown
from metastruct.runs.tables import PORTRAIT

Say = Callable[[str], None]
Product = TypeVar("Product")
REWRITTEN = {"long_horizon": write_study, "search": write_searched}  # from their records, where there are any


def report(
    folder: Path,
    say: Say,
    yamls: Mapping[str, str] | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """Write the tables and figures beside their records, then claims.json, claims.md and report.html.

    Args:
        folder: with one folder a table.
        say: told about every step.
        yamls: digests of the tables' yamls as they are now; a table that was collected under another is not complete.
        errors: the metrics that tables ask for, where those are not the usual ones.

    Raises:
        ValueError: a link leads out of the folder.
    """
    for name in (*LAYOUTS, *SCRIPTED):
        if (folder / name).is_dir():
            check_contained(folder / name, folder)
    now, columns = yamls or {}, errors or {}
    tables = ((name, _read(folder / name, now.get(name), columns.get(name), say)) for name in LAYOUTS)
    present = {name: results for name, results in tables if results}
    measured = Measured(
        present,
        _made(costs, folder / "adaptation_cost", say) or {},
        _made(local_ranks, folder / "local_rank", say) or {},
    )
    sections = []
    for name, layouts in LAYOUTS.items():
        if name in present:
            say(f"{name}: {present[name].progress}")
            section = _made(partial(_written, present[name], measured), folder / name, say)
            sections.append(section or Section(name, layouts[0].title, missing=command(name)))
        else:
            say(f"{name}: not there yet, {command(name)}")
            sections.append(Section(name, layouts[0].title, missing=command(name)))
    for name, (title, made_by) in SCRIPTED.items():
        section = _made(partial(_other, name=name, title=title), folder / name, say)
        if section is None:
            say(f"{name}: not there yet, {made_by}")
        sections.append(section or Section(name, title, missing=made_by))
    findings = [(claim, claim.judged(measured)) for claim in CLAIMS]
    for claim, finding in findings:
        say(f"{claim.name:5} {finding.verdict:9}  {claim.statement}")
    _write_claims(findings, folder)
    path = folder / "report.html"
    write_atomically(path, page(findings, sections, _notes(present)))
    return path


def _read(folder: Path, yaml: str | None, errors: Sequence[str] | None, say: Say) -> Results | None:
    def reading(place: Path) -> Results | None:
        results = read(place, yaml, errors)
        if results is not None:
            check_columns(results)
        return results

    return _made(reading, folder, say)


def _made(reading: Callable[[Path], Product | None], folder: Path, say: Say) -> Product | None:
    """What is made of a folder; None where its files, which may be anybody's, are not what they should be."""
    try:
        return reading(folder)
    except ValueError as error:
        say(f"{folder.name}: {' '.join(str(error).split())}")
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, csv.Error) as error:
        say(f"{folder.name} holds something else than its records ({type(error).__name__}: {error})")
    return None


def _written(results: Results, measured: Measured, folder: Path) -> Section:
    layouts = LAYOUTS[results.name]
    parts = []
    for layout in layouts:
        if not results.those(layout.only):
            continue
        sheet = Sheet.of(results, layout)
        for form, write in (("csv", forms.csv), ("md", forms.markdown), ("tex", forms.latex)):
            write_atomically(folder / f"{layout.file}.{form}", write(sheet))
        parts.append(forms.markdown(sheet))
    if not results.complete:
        parts.append(f"\n{results.progress} so far: {command(results.name)}\n")
    figures = [path for path in draw(results, measured, folder) if path.suffix == ".png"]
    figures += folder.glob(PORTRAIT)
    return Section(results.name, layouts[0].title, "\n".join(parts), figures)


def _other(folder: Path, name: str, title: str) -> Section | None:
    """A table of another kind than those of runs."""
    if name in REWRITTEN:
        REWRITTEN[name](folder)
    table = folder / "table.md"
    return Section(name, title, table.read_text(), sorted(folder.glob("*.png"))) if table.exists() else None


def _notes(tables: dict[str, Results]) -> list[str]:
    commits = sorted({short(run["commit"]) for results in tables.values() for run in results.runs})
    machines = sorted({run["machine"] for results in tables.values() for run in results.runs})
    return [
        "Meta-learning of structure-preserving dynamics on simulated families of systems. The settings of the "
        "published numbers (ranges, horizons, network sizes, steps) are unknown and differ from ours.",
        f"Runs of commit{'s' * (len(commits) > 1)} {', '.join(commits)} on {' and '.join(machines)}."
        if commits
        else "No runs yet.",
    ]


def _write_claims(findings: Sequence[tuple[Claim, Finding]], folder: Path) -> None:
    parts = [
        {
            "claim": claim.name,
            "statement": claim.statement,
            "rule": claim.rule,
            "verdict": finding.verdict,
            "effect": _effect(finding.effect) | {"of": finding.about} if finding.effect else None,
            "needs": finding.requirement,
            "evidence": finding.evidence,
        }
        for claim, finding in findings
    ]
    write_atomically(folder / "claims.json", json.dumps(parts, indent=2, ensure_ascii=False) + "\n")
    body = [
        [claim.name, claim.statement, finding.verdict, *((str(finding.effect), f"{finding.effect.seeds} x "
         f"{finding.effect.tasks}") if finding.effect else ("-", "-"))]
        for claim, finding in findings
    ]  # fmt: skip
    heads = ["claim", "of the paper", "here", "error over error", "seeds x tasks"]
    write_atomically(folder / "claims.md", markdown(heads, body, []))


def _effect(effect: Estimate) -> dict[str, float]:
    ratios = {
        name: math.exp(getattr(effect, end)) for name, end in (("ratio", "mean"), ("low", "low"), ("high", "high"))
    }
    return ratios | {"seeds": effect.seeds, "tasks": effect.tasks}
