"""The verdicts on one screen: a row a claim, with its ratio and interval drawn on a common axis (a forest plot)."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable

from metastruct.evaluation.effects import Estimate
from metastruct.paper.claims import Claim, Finding

ENDS, WIDTH, HEIGHT = (0.1, 10.0), 220, 22
TICKS = (0.1, 0.3, 1, 3, 10)
SIGNS = {"held": "✓ held", "not held": "✗ not held", "undecided": "? undecided"}
STYLE = """
.forest { width: 100%; } .forest td, .forest th { padding: .15rem .5rem; vertical-align: middle; white-space: normal; }
.forest svg { display: block; width: 220px; height: 22px; overflow: visible; }
.forest td:nth-child(even), .forest td:nth-child(5) { white-space: nowrap; } .forest small { color: var(--quiet); }
@media (max-width: 45rem) { .forest thead { display: none; } .forest td { border: 0; }
.forest tr { display: grid; grid-template-columns: minmax(0, 1fr) auto; border-bottom: 1px solid var(--line); }
.forest td:first-child { grid-column: 1 / 3; padding-top: .5rem; } .forest td:nth-child(3) { order: 9; }
.forest svg { width: 150px; } .forest td:nth-child(even) { white-space: normal; }
.forest td:nth-child(5) { order: 8; } }
"""


def forest(claims: Iterable[tuple[Claim, Finding]]) -> str:
    """The table of verdicts as HTML."""
    marks = "".join(f'<text x="{_place(tick)}" y="16" text-anchor="middle">{tick:g}</text>' for tick in TICKS)
    axis = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" fill="currentColor" font-size="12" aria-hidden="true">{marks}</svg>'
    heads = "".join(f"<th>{text}</th>" for text in ("claim", "error over error", axis, "verdict", "seeds x tasks"))
    rows = "".join(_row(claim, finding) for claim, finding in claims)
    return f'<table class="forest"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _row(claim: Claim, finding: Finding) -> str:
    safe, effect = html.escape, finding.effect
    text = f"{effect}<br><small>{safe(finding.about)}</small>" if effect else f"<small>{safe(finding.about)}</small>"
    sample = f"{effect.seeds} x {effect.tasks}" if effect else "-"
    rest = f"<br><small>needs {safe(finding.requirement)}</small>" if finding.requirement else ""
    kind = finding.verdict.partition(" ")[0]
    cells = (
        f'<a href="#{safe(claim.name)}"><b>{safe(claim.name)}</b></a> {safe(claim.statement)}',
        text,
        _drawn(effect, kind) if effect else "",
        f'<span class="badge {kind}">{SIGNS[finding.verdict]}</span>{rest}',
        sample,
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _place(ratio: float) -> float:
    low, high = map(math.log, ENDS)
    inside = min(max(math.log(ratio), low), high)
    return round(8 + (WIDTH - 16) * (inside - low) / (high - low), 1)


def _drawn(effect: Estimate, kind: str) -> str:
    """The interval as a line, the ratio as a dot, and a dashed line at one."""
    value, low, high = (_place(math.exp(end)) for end in (effect.mean, effect.low, effect.high))
    middle, one = HEIGHT / 2, _place(1)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" class="{kind}" role="img" aria-label="{effect}">'
        f'<line x1="{one}" x2="{one}" y1="-6" y2="{HEIGHT + 6}" stroke="var(--quiet)" stroke-dasharray="2 3"/>'
        f'<line x1="{low}" x2="{high}" y1="{middle}" y2="{middle}" stroke="currentColor" stroke-width="2.5"/>'
        f'<circle cx="{value}" cy="{middle}" r="5" fill="currentColor"/></svg>'
    )
