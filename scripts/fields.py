"""Fields on grids: errors over the horizon and ten of them, transfer in size, cost of a step against size.

    python scripts/fields.py --list                      the cells, one command a line
    python scripts/fields.py --only errors-kdv-128-lattice-svd-0   some of them, by how they begin
    python scripts/fields.py                             everything that is missing, then records.csv and table.md

A cell that is finished is kept at once, as a file of outputs/reference/fields/cells/, and is not made anew; cells may
be made beside each other. Trainings have half the steps that the bars allow, of one point of each task.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from cells import of_study

from metastruct.runs.arguments import Flags

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "fields"


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    of_study(parser)
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

from sizes import Cell, Figures, Row, Study, by_cell, errors, slopes, step, transfer

from metastruct.runs.lines import markdown

ERRORS = ("field_error", "trajectory_error", "tenfold_error")
NETS = {
    "lattice": (),
    "together": ("net.terms=together",),
    "dense": ("net=mlp",),
    "unstructured": ("net=mlp", "dynamics=unstructured"),
}
SHARED = (
    "trainer.steps=2000",
    "learner.point_batch=1",
    "shots=50",
    "tag=fields",
    "logger=none",
    "trainer.accelerator=auto",
)
SEEDS = (0, 1, 2)
BARS = {"sine_gordon": "1 / 5", "kdv": "1 / 5"}  # of trajectories over one and ten horizons, x 1e-2
SIZES = (8, 16, 32, 64, 128, 256, 512)  # of the cost of a step


def words(cell: Cell) -> tuple[str, ...]:
    """Of the run of a cell."""
    family = f"system={cell.system}", f"system.sites={cell.size}", f"modulation={cell.modulation}"
    metrics = f"evaluation.metrics=[{','.join(ERRORS)},energy_drift]"
    if "dynamics=unstructured" in NETS[cell.net] or cell.system in ("allen_cahn", "cahn_hilliard"):
        metrics = f"evaluation.metrics=[{','.join(ERRORS)}]"
    compiled = "trainer.compile=never"
    return (*family, *NETS[cell.net], f"seed={cell.seed}", *SHARED, metrics, compiled)


def of_errors(cell: Cell, outputs: str) -> Figures:
    """Of new members."""
    return errors(words(cell), (*ERRORS, "energy_drift"), outputs)


def of_transfer(cell: Cell, outputs: str) -> Figures:
    """Of members of this size, of a model that was trained on half as many sites of the same spacing."""
    half = Cell("errors", cell.system, cell.size // 2, cell.net, cell.modulation, cell.seed)
    return transfer(words(half), words(cell), ERRORS, outputs)


def of_step(cell: Cell, outputs: str) -> Figures:
    """Of Adam."""
    kept = [word for word in words(cell) if not word.startswith(("learner", "evaluation"))]
    return step([*kept, "optimizer=adam"], (2 if cell.system == "sine_gordon" else 1) * cell.size)


PARTS = {"errors": of_errors, "transfer": of_transfer, "step": of_step}


def cells() -> list[Cell]:
    """All of them, the figures of the issue first."""
    every = [Cell("errors", name, 128, "lattice", "svd", seed) for name in BARS for seed in SEEDS]
    every += [Cell("step", name, size, "lattice", "svd", 0) for name in BARS for size in SIZES]
    more = (("phi4", 128), ("allen_cahn", 64), ("cahn_hilliard", 64))
    every += [Cell("errors", name, size, "lattice", "svd", seed) for name, size in more for seed in SEEDS]
    every += [Cell("errors", name, 128, "lattice", "film", seed) for name in BARS for seed in SEEDS]
    every += [Cell("errors", name, 128, "together", "svd", seed) for name in BARS for seed in SEEDS]
    every += [Cell("errors", "sine_gordon", 128, "dense", "svd", seed) for seed in SEEDS]
    every += [Cell("errors", name, 128, "unstructured", "svd", seed) for name in BARS for seed in SEEDS]
    return every + [Cell("transfer", name, 128, "lattice", "svd", seed) for name in BARS for seed in SEEDS]


def table(rows: list[Row]) -> str:
    """What is measured, beside its bars."""
    lines = [[*line, BARS.get(cell.system, "")] for cell, line in by_cell(rows, ERRORS)]
    head = ["part", "system", "sites", "net", "modulation", "field", "trajectory", "ten horizons", "training s", "bars"]
    text = "# Fields on grids\n\nMean errors of ten new members x 1e-2, one number a seed; bars of trajectories.\n\n"
    text += markdown(head, lines, [])
    return text + "\n## A step against the number of sites\n\n" + markdown(*slopes(rows, BARS, "sites"), [])


def main() -> None:
    """Make what is missing, one cell after another."""
    Study(FOLDER, cells(), PARTS, table).make(command_line())


if __name__ == "__main__":
    main()
