"""A sheet as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from metastruct.paper.methods import named
from metastruct.paper.sheet import Sheet
from metastruct.runs import lines
from metastruct.runs.lines import escaped, quoted
from metastruct.runs.tables import as_csv

Mark = Callable[[str], str]


def csv(sheet: Sheet) -> str:
    """One line a cell, every digit of every number."""
    column = sheet.layout.column or ("domain" if sheet.layout.domains else "column")
    cells: list[dict[str, Any]] = []
    for (row, name), cell in sheet.cells.items():
        line: dict[str, Any] = dict(zip(sheet.layout.rows, row, strict=True)) | {column: name}
        for metric, (mean, std) in cell.errors.items():
            line |= {metric: mean, f"{metric}_std": std, f"{metric}_median": cell.medians[metric]}
        line |= {"seeds": cell.seeds, "diverged": cell.diverged, "tasks": cell.tasks}
        line |= {"parameters": cell.parameters, "training_seconds": cell.seconds}
        cells.append(line | {"published": sheet.beside.get((row, name), "")})
    return as_csv(cells)


def markdown(sheet: Sheet) -> str:
    """A table for people, the best of each column bold."""
    heads = [quoted(head) for head in [*sheet.heads(), "parameters", "training, s"]]
    body = _lines(sheet, quoted, lambda text: f"**{text}**", lambda text: f" *(published {text})*")
    return lines.markdown(heads, body, [quoted(note) for note in sheet.notes])


def latex(sheet: Sheet) -> str:
    """A table for a paper that uses the booktabs package."""
    heads = [escaped(head) for head in [*sheet.heads(), "parameters", "training, s"]]
    body = _lines(
        sheet, escaped, lambda text: rf"\textbf{{{text}}}", lambda text: rf" {{\scriptsize (published {text})}}"
    )
    caption = " ".join([f"{sheet.layout.title}.", *sheet.notes])
    label = f"{sheet.name}{sheet.layout.file.removeprefix('table')}"
    return lines.latex(heads, body, len(sheet.layout.rows), caption, label)


def _lines(sheet: Sheet, safe: Mark, bold: Mark, published: Mark) -> list[list[str]]:
    """The body as text, made `safe` before it is marked."""
    best, rows = sheet.best(), []
    for row in sheet.rows:
        names = zip(sheet.layout.rows, row, strict=True)
        line = [safe(named(value) if name == "method" else value) for name, value in names]
        for column in sheet.columns:
            key = row, column
            text = safe(str(sheet.cells[key])) if key in sheet.cells else "-"
            paper = sheet.beside.get(key)
            line.append((bold(text) if key in best else text) + (published(safe(paper)) if paper else ""))
        rows.append([*line, sheet.sizes[row], f"{sheet.seconds[row]:.0f}"])
    return rows
