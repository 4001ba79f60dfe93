"""A sheet, or plain lines, as CSV, Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metastruct.reports.methods import named
from metastruct.reports.sheet import Sheet
from metastruct.reports.tables import as_csv
from metastruct.runs.files import write_atomically

SPECIAL = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "±": r"$\pm$",
           "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}  # fmt: skip
QUOTED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "*": "&#42;", "`": "&#96;", "](": "]&#40;"}
Mark = Callable[[str], str]


def csv(sheet: Sheet) -> str:
    """One line a cell, every digit of every number."""
    column = sheet.layout.column or ("domain" if sheet.layout.domains else "column")
    lines: list[dict[str, Any]] = []
    for (row, name), cell in sheet.cells.items():
        line: dict[str, Any] = dict(zip(sheet.layout.rows, row, strict=True)) | {column: name}
        for metric, (mean, std) in cell.errors.items():
            line |= {metric: mean, f"{metric}_std": std, f"{metric}_median": cell.medians[metric]}
        line |= {"seeds": cell.seeds, "diverged": cell.diverged, "tasks": cell.tasks}
        line |= {"parameters": cell.parameters, "training_seconds": cell.seconds}
        lines.append(line | {"published": sheet.beside.get((row, name), "")})
    return as_csv(lines)


def markdown(sheet: Sheet) -> str:
    heads = [quoted(head) for head in [*sheet.heads(), "parameters", "training, s"]]
    body = _lines(sheet, quoted, lambda text: f"**{text}**", lambda text: f" *(published {text})*")
    return _markdown(heads, body, [quoted(note) for note in sheet.notes])


def latex(sheet: Sheet) -> str:
    """A table for a paper that uses the booktabs package."""
    heads = [escaped(head) for head in [*sheet.heads(), "parameters", "training, s"]]
    body = _lines(
        sheet, escaped, lambda text: rf"\textbf{{{text}}}", lambda text: rf" {{\scriptsize (published {text})}}"
    )
    caption = " ".join([f"{sheet.layout.title}.", *sheet.notes])
    label = f"{sheet.name}{sheet.layout.file.removeprefix('table')}"
    return _latex(heads, body, len(sheet.layout.rows), caption, label)


def write_lines(folder: Path, lines: Sequence[Mapping[str, Any]], title: str, note: str = "") -> None:
    """Lines that share their keys as table.csv, with every digit, table.md and table.tex, with a note below."""
    rows = [{name: _rounded(value) for name, value in line.items()} for line in lines]
    heads, body = [*rows[0]], [[*line.values()] for line in rows]
    write_atomically(folder / "table.csv", as_csv(lines))
    cells = [[quoted(text) for text in line] for line in body]
    write_atomically(folder / "table.md", _markdown([*map(quoted, heads)], cells, [quoted(note)] if note else []))
    safe = [[escaped(text) for text in line] for line in body]
    caption = f"{title}. {note}".strip()
    write_atomically(folder / "table.tex", _latex([*map(escaped, heads)], safe, 1, caption, folder.name))


def _rounded(value: Any) -> str:
    """Two digits of a number that is not whole."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"


def _markdown(heads: Sequence[str], body: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    table = ["| " + " | ".join(line) + " |" for line in [heads, *body]]
    table.insert(1, "|---" * len(heads) + "|")
    return "\n".join([*table, *([""] if notes else []), *notes, ""])


def _latex(heads: Sequence[str], body: Sequence[Sequence[str]], names: int, caption: str, label: str) -> str:
    """The first columns, which hold names, go to the left, the others to the right; the cells are safe already."""
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{tab:{re.sub(r'[^A-Za-z0-9_.:-]', '', label)}}}",
            rf"\begin{{tabular}}{{{'l' * names + 'r' * (len(heads) - names)}}}",
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


def quoted(text: str) -> str:
    """For Markdown: one line without markup, of HTML least of all."""
    text = " ".join(text.split())
    for mark, word in QUOTED.items():
        text = text.replace(mark, word)
    return text


def escaped(text: str) -> str:
    """For LaTeX."""
    text = " ".join(text.split()) if "\n" in text or "\r" in text else text
    text = "".join(SPECIAL.get(letter, letter) for letter in text)
    return re.sub(
        r"\blambda (z|phi)\b", lambda match: rf"$\lambda_{{{match[1].replace('phi', chr(92) + 'phi')}}}$", text
    )
