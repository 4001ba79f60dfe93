"""One self-contained HTML page with the verdicts, tables and figures; it needs no network and fits a phone."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metastruct.paper.claims import Claim, Finding
from metastruct.paper.forest import SIGNS, forest
from metastruct.paper.forest import STYLE as FOREST

STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #888; --held: #2e7d32; --not: #b3261e; --open: #8a6d00; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto; padding: 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
nav ul { columns: 14rem; padding-left: 1.2rem; } img { max-width: 100%; height: auto; background: #fff; }
section > p, section > ul { max-width: 60rem; } small { font-size: max(.83em, 12px); }
.wide { overflow-x: auto; background: /* a shadow where there is more to the left or to the right */
  linear-gradient(90deg, Canvas 2rem, #0000) local, linear-gradient(270deg, Canvas 2rem, #0000) right local,
  radial-gradient(farthest-side at 0 50%, #8889, #0000) 0 0 / 1rem 100%,
  radial-gradient(farthest-side at 100% 50%, #8889, #0000) right / 1rem 100%; background-repeat: no-repeat; }
.wide td, .wide th { white-space: normal; min-width: 4.5rem; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
.badge { border: 2px solid; border-radius: .6rem; padding: 0 .5rem; font-weight: 600; white-space: nowrap; }
.held { color: var(--held); } .not { color: var(--not); } .undecided { color: var(--open); }
@media (prefers-color-scheme: dark) { :root { --held: #81c784; --not: #f28b82; --open: #e6c35c; } }
.note { color: var(--quiet); font-size: .9rem; } li { margin: .2rem 0; }
"""
COLOURS = 40
RULE = (
    "Ratios are geometric means over seeds and test tasks with intervals of 95 %; below 1 speaks for a claim, errors "
    "closer than a factor of 1.1 count as equal. Rules and margins: docs/verdicts.md; how often they find what is "
    "true: the section on tables whose truth is known."
)


@dataclass
class Section:
    """A table of the paper on the page."""

    name: str
    title: str
    markdown: str = ""
    figures: list[Path] = field(default_factory=list)
    missing: str | None = None  # the command that makes it


def page(claims: Sequence[tuple[Claim, Finding]], sections: Sequence[Section], notes: Sequence[str]) -> str:
    """The page as text."""
    listed = "".join(f'<li><a href="#{html.escape(s.name)}">{html.escape(s.title)}</a></li>' for s in sections)
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>MetaStruct: tables and claims</title><style>{STYLE}{FOREST}</style></head><body><main>",
            "<h1>MetaStruct: the paper's tables and claims</h1>",
            f'<section id="claims"><h2>Claims</h2>{forest(claims)}<p class="note">{RULE}</p></section>',
            f'<nav aria-label="Contents"><ul><li><a href="#claims">Claims</a></li>{listed}</ul></nav>',
            *(f"<p>{html.escape(note)}</p>" for note in notes),
            '<section id="evidence"><h2>Evidence</h2>',
            *(_claim(claim, finding) for claim, finding in claims),
            "</section>",
            *(_section(section) for section in sections),
            "</main></body></html>\n",
        ]
    )


def _claim(claim: Claim, finding: Finding) -> str:
    evidence = "".join(f"<li>{html.escape(line)}</li>" for line in finding.evidence)
    return (
        f'<h3 id="{html.escape(claim.name)}">{html.escape(claim.name)}: {html.escape(claim.statement)}</h3>'
        f'<p class="note">{SIGNS[finding.verdict]}. Rule: {html.escape(claim.rule)}.</p><ul>{evidence}</ul>'
    )


def _section(section: Section) -> str:
    body = [f'<section id="{html.escape(section.name)}"><h2>{html.escape(section.title)}</h2>']
    if section.missing:
        body.append(f"<p>Not there yet: <code>{html.escape(section.missing)}</code></p>")
    for path in section.figures:
        data = base64.b64encode(_small(path)).decode()
        body.append(f'<img alt="Figure: {html.escape(section.title)}" src="data:image/png;base64,{data}">')
    body.append(_table(section.markdown))
    return "".join([*body, "</section>"])


def _small(path: Path) -> bytes:
    """The picture with few colours, which is all that a drawing needs."""
    from PIL import Image

    content = io.BytesIO()
    Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    return content.getvalue()


def _table(markdown: str) -> str:
    """The tables and the paragraphs of our own Markdown."""
    out: list[str] = []
    rows: list[str] = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            rows.append(line)
            continue
        if rows:
            cells = [
                [_inline(cell.strip()) for cell in row.strip("|").split("|")] for row in rows if set(row) - set("|-")
            ]
            head = "".join(f"<th>{cell}</th>" for cell in cells[0])
            body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in cells[1:])
            out.append(f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')
            rows = []
        if line.startswith("## "):
            out.append(f"<h4>{_inline(line.removeprefix('## '))}</h4>")
        elif line and not line.startswith("# "):  # the section has its title already
            out.append(f'<p class="note">{_inline(line)}</p>')
    return "".join(out)


def _inline(text: str) -> str:
    text = re.sub(r"&amp;(#\d+|amp|lt|gt);", r"&\1;", html.escape(text))  # which `forms.quoted` wrote
    text = text.replace(" ± ", "&nbsp;±&nbsp;")  # a number and its deviation stay together
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"\*(.+?)\*", r"<em>\1</em>", text)
