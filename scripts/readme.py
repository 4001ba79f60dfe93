"""Write the numbers of record into README and docs/results.md: python scripts/readme.py [--reference FOLDER]

Errors, sizes and seconds of every method, the errors of the main job, and the verdicts on the claims, each in the cell
where it stands; everything else is left as it is. `make report` does it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

from metastruct.runs.arguments import Flags, existing

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
ERRORS = re.compile(r"(\*\*)?\d+\.\d+ ± \d+\.\d+ / \d+\.\d+ ± \d+\.\d+(\*\*)?")
MAIN_JOB = {  # rows: settings of main_job, and of gauss_newton where it has them
    "pendulum": ("system=pendulum modulation=svd rank=5",) * 2,
    "mass_spring": ("system=mass_spring modulation=svd rank=5",) * 2,
    "duffing": ("system=duffing modulation=svd rank=5",) * 2,
    "pendulum, `net=separable`": (
        "system=pendulum net=separable modulation=svd rank=5",
        "system=pendulum net=separable",
    ),
    "pendulum, the paper's alternation (N_in = 5, 10 tasks a batch)": (
        "system=pendulum learner.schedule=alternating learner.task_batch=10 modulation=svd rank=5",
        None,
    ),
}
Row = list[str]


def recorded(path: Path) -> dict[str, Row]:
    """The lines of the Markdown table of a folder of record, by their first cell."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("|")][2:]
    return {first: rest for first, *rest in (_cells(line) for line in lines)}


def errors(cell: str) -> str:
    """Of a cell, with its marks and without the published ones."""
    match = ERRORS.search(cell)
    return match[0] if match else "-"


def of_methods(reference: Path) -> Callable[[Row], Row]:
    """Errors, size and seconds on the pendulum, from the table `main`."""
    table = recorded(reference / "main" / "table.md")
    with open(reference / "main" / "table.csv", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["system"] == "pendulum"]
    seconds = dict(zip(table, (f"{float(line['training_seconds']):.0f}" for line in lines), strict=True))

    def changed(row: Row) -> Row:
        method, _, published, _, _, settings = row
        if method not in table:
            return row
        pendulum, *_, size, _ = table[method]
        return [method, errors(pendulum), published, size, seconds[method], settings]

    return changed


def of_main_job(reference: Path) -> Callable[[Row], Row]:
    """Errors of Gauss-Newton and of Adam."""
    adam, newton = (recorded(reference / name / "table.md") for name in ("main_job", "gauss_newton"))

    def changed(row: Row) -> Row:
        if row[0] not in MAIN_JOB:
            return row
        first, second = MAIN_JOB[row[0]]
        return [row[0], "-" if second is None else errors(newton[second][0]), errors(adam[first][0]), row[3]]

    return changed


def of_claims(reference: Path) -> Callable[[Row], Row]:
    """Claims with their verdicts."""
    verdicts = recorded(reference / "claims.md")

    def changed(row: Row) -> Row:
        return [row[0], *verdicts[row[0]]] if row[0] in verdicts else row

    return changed


SECTIONS = {  # heading: the tables of it, by their first heads
    ("Results", "system"): of_main_job,
    ("The main job", "system"): of_main_job,
    ("Every method", "method"): of_methods,
    ("Every method", "claim"): of_claims,
}


def written(text: str, reference: Path) -> str:
    """A page with the numbers of record."""
    changes = {place: make(reference) for place, make in SECTIONS.items()}
    heading, head, lines = "", "", []
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        if not line.startswith("|"):
            head = ""
        elif not head:
            head = _cells(line)[0]
        elif (heading, head) in changes and not line.startswith("|--"):
            line = "| " + " | ".join(changes[heading, head](_cells(line))) + " |"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _cells(line: str) -> Row:
    return [cell.strip() for cell in line.strip("|").split("|")]


def main() -> None:
    """Write it where anything changes, and say so."""
    parser = Flags(__doc__)
    parser.add_argument("--reference", type=existing, default=ROOT / "outputs" / "reference")
    reference = parser.parse_args().reference
    for page in PAGES:
        before = page.read_text()
        after = written(before, reference)
        page.write_text(after)
        print(f"{page.relative_to(ROOT)}: {'as it was' if after == before else 'with other numbers'}")


if __name__ == "__main__":
    main()
