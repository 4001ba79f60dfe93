"""Lines that share their keys, as CSV, Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metastruct.runs.files import write_atomically
from metastruct.runs.tables import as_csv

SPECIAL = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "±": r"$\pm$",
           "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}  # fmt: skip
QUOTED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "*": "&#42;", "`": "&#96;", "](": "]&#40;"}


def write_lines(folder: Path, lines: Sequence[Mapping[str, Any]], title: str, note: str = "") -> None:
    """Lines that share their keys as table.csv, with every digit, table.md and table.tex, with a note below."""
    rows = [{name: _rounded(value) for name, value in line.items()} for line in lines]
    heads, body = [*rows[0]], [[*line.values()] for line in rows]
    write_atomically(folder / "table.csv", as_csv(lines))
    cells = [[quoted(text) for text in line] for line in body]
    write_atomically(folder / "table.md", markdown([*map(quoted, heads)], cells, [quoted(note)] if note else []))
    safe = [[escaped(text) for text in line] for line in body]
    caption = f"{title}. {note}".strip()
    write_atomically(folder / "table.tex", latex([*map(escaped, heads)], safe, 1, caption, folder.name))


def _rounded(value: Any) -> str:
    """Two digits of a number that is not whole."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"


def markdown(heads: Sequence[str], body: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """A table of cells that are safe already."""
    table = ["| " + " | ".join(line) + " |" for line in [heads, *body]]
    table.insert(1, "|---" * len(heads) + "|")
    return "\n".join([*table, *([""] if notes else []), *notes, ""])


def latex(heads: Sequence[str], body: Sequence[Sequence[str]], names: int, caption: str, label: str) -> str:
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
