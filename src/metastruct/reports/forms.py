"""A sheet as CSV, Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from metastruct.reports.methods import named
from metastruct.reports.sheet import Sheet
from metastruct.reports.tables import as_csv

SPECIAL = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "±": r"$\pm$",
           "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}  # fmt: skip
Mark = Callable[[str], str]


def csv(sheet: Sheet) -> str:
    """One line a cell, every digit of every number."""
    column = sheet.layout.column or ("domain" if sheet.layout.domains else "column")
    lines: list[dict[str, Any]] = []
    for (row, name), cell in sheet.cells.items():
        line: dict[str, Any] = dict(zip(sheet.layout.rows, row, strict=True)) | {column: name}
        for metric, (mean, std), median in (
            ("field_error", cell.field, cell.median[0]),
            ("trajectory_error", cell.trajectory, cell.median[1]),
        ):
            line |= {metric: mean, f"{metric}_std": std, f"{metric}_median": median}
        line |= {"seeds": cell.seeds, "diverged": cell.diverged, "tasks": cell.tasks}
        line |= {"parameters": sheet.sizes[row], "training_seconds": sheet.seconds[row]}
        lines.append(line | {"published": sheet.beside.get((row, name), "")})
    return as_csv(lines)


def markdown(sheet: Sheet) -> str:
    heads = [*sheet.heads(), "parameters", "training, s"]
    body = _lines(sheet, str, lambda text: f"**{text}**", lambda text: f" *(published {text})*")
    table = ["| " + " | ".join(line) + " |" for line in [heads, *body]]
    table.insert(1, "|---" * len(heads) + "|")
    return "\n".join([*table, "", *sheet.notes, ""])


def latex(sheet: Sheet) -> str:
    """A table for a paper that uses the booktabs package."""
    heads = [escaped(head) for head in [*sheet.heads(), "parameters", "training, s"]]
    body = _lines(
        sheet, escaped, lambda text: rf"\textbf{{{text}}}", lambda text: rf" {{\scriptsize (published {text})}}"
    )
    columns = "l" * len(sheet.layout.rows) + "r" * (len(heads) - len(sheet.layout.rows))
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(' '.join([f'{sheet.layout.title}.', *sheet.notes]))}}}",
            rf"\label{{tab:{sheet.name}{sheet.layout.file.removeprefix('table')}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(heads) + r" \\",
            r"\midrule",
            *(" & ".join(line) + r" \\" for line in body),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _lines(sheet: Sheet, safe: Mark, bold: Mark, published: Mark) -> list[list[str]]:
    """The body as text, made `safe` before it is marked."""
    best, told = sheet.best(), []
    for row in sheet.rows:
        names = zip(sheet.layout.rows, row, strict=True)
        line = [safe(named(value) if name == "method" else value) for name, value in names]
        for column in sheet.columns:
            key = row, column
            text = safe(str(sheet.cells[key])) if key in sheet.cells else "-"
            theirs = sheet.beside.get(key)
            line.append((bold(text) if key in best else text) + (published(safe(theirs)) if theirs else ""))
        told.append([*line, sheet.sizes[row], f"{sheet.seconds[row]:.0f}"])
    return told


def escaped(text: str) -> str:
    """For LaTeX."""
    text = "".join(SPECIAL.get(letter, letter) for letter in text)
    return re.sub(
        r"\blambda (z|phi)\b", lambda found: rf"$\lambda_{{{found[1].replace('phi', chr(92) + 'phi')}}}$", text
    )
