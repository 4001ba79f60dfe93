"""Many bodies: errors of graph nets beside dense and unstructured ones, transfer in size, error and cost against size.

    python scripts/many_bodies.py --list                     the cells, one command a line
    python scripts/many_bodies.py --only errors-fput-8-graph-svd-0   some of them, by how they begin
    python scripts/many_bodies.py                            everything that is missing, then records and figure

A cell that is finished is kept at once, as a file of outputs/reference/many_bodies/cells/, and is not made anew; cells
may be made beside each other. Trainings have the steps that ten minutes of two cores allow.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from cells import of_study

from metastruct.runs.arguments import Flags

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "many_bodies"


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    of_study(parser)
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

import numpy as np
from matplotlib.figure import Figure
from sizes import Cell, Figures, Row, Study, by_cell, errors, slopes, step, transfer

from metastruct.paper.plots.look import SPARE, at, legend, logarithmic
from metastruct.runs.lines import markdown

QUIET = ("logger=none", "evaluation.figures=false", "trainer.accelerator=auto", "trainer.compile=never")
ERRORS = ("field_error", "trajectory_error")
MORE = (*ERRORS, "energy_drift", "momentum_drift", "angular_momentum_drift")
GRAPH, DENSE, FREE = "graph", "dense", "unstructured"
SOAP = ("optimizer=soap", "locality=none")  # where an iteration of Gauss-Newton has more residuals than weights
SYSTEMS = {
    "fput": ("system=fput",),
    "damped_chain": (
        "system=damped_chain",
        "evaluation.states=visited",
        "optimizer.warm_start=0.8",
        "trainer.steps=840",
    ),
    "bodies": ("system=bodies", *SOAP, "trainer.steps=4000"),
    "clusters": ("system=clusters", *SOAP, "trainer.steps=4000"),
}
NUMBERS = {"bodies": "bodies", "clusters": "atoms"}  # how families call them whose features tell bodies apart
BARS = {  # field and trajectory error x 1e-2
    ("fput", 8, GRAPH): (1, 1),
    ("fput", 32, GRAPH): (1, 2),
    ("fput", 64, GRAPH): (1, 3),
    ("damped_chain", 8, GRAPH): (2, 3),
    ("bodies", 5, GRAPH): (2, 3),
}
FEATURED = (("bodies", 5), ("clusters", 7))
SIZES = (8, 16, 32, 64, 128, 256, 512)  # of the cost of a step
SCALED = (2, 8, 32, 128)  # of the error
PANELS = {
    "field_error mean": ("field error x 1e-2", 100.0),
    "trajectory_error mean": ("trajectory error x 1e-2", 100.0),
    "training seconds": ("training, s", 1.0),
}
COLOURS, LINES = dict(zip((GRAPH, DENSE, FREE), SPARE, strict=False)), {"svd": "-", "shift": "--"}
PARTS_IN_WORDS = (
    "Mean errors of ten new members, one number a seed. Transfer: of n oscillators, by a model that was trained on 8; "
    "hotter: by one that was trained on 8 of twice the energy."
)
SCALING = (
    "\n## Error against the number of bodies\n\n"
    "Graph nets, dense nets of the energy, and unstructured nets of dx/dt: 1,000 steps of SOAP each, enough or not, of "
    "16 points of each member; graph nets of more than 16 oscillators look at 256/n of them.\n\n"
)


def words(cell: Cell) -> tuple[str, ...]:
    """Of the run of a cell."""
    rank = ("rank=5",) if cell.modulation == "svd" else ()
    number = NUMBERS.get(cell.system, "oscillators")
    base = (*SYSTEMS[cell.system], f"system.{number}={cell.size}", f"modulation={cell.modulation}", *rank)
    if cell.modulation == "shift" and cell.system in NUMBERS:
        base += ("modulation.shift_tags=[input]",)  # what terms see: features, of pairs in all combinations
    if cell.system == "damped_chain":
        base += (f"modulation.code_dim={cell.size + 1}",)
    dense_chain = cell.system == "fput" and cell.net != GRAPH  # which Gauss-Newton leaves at ten times the error
    if cell.part == "scaling" or cell.size > 16 or dense_chain:
        points = max(1, min(16, 256 // cell.size)) if cell.net == GRAPH else 16
        steps = 1000 if cell.part == "scaling" else 4000
        base += (*SOAP, f"trainer.steps={steps}", f"learner.point_batch={points}")
    dynamics: tuple[str, ...] = ()
    if cell.net == FREE:
        dynamics = ("dynamics=unstructured",)
    elif cell.system == "damped_chain":
        dynamics = ("dynamics=local_generic",)
    net = ("net=graph",) if cell.net == GRAPH else ("net=mlp",)
    return (*base, *dynamics, *net, f"seed={cell.seed}", "tag=many_bodies", *QUIET)


def of_errors(cell: Cell, outputs: str) -> Figures:
    """Of new members."""
    return errors(words(cell), MORE, outputs)


def of_transfer(cell: Cell, outputs: str) -> Figures:
    """Of members of this size, of a model that was trained at size 8; hotter: with twice the energy.

    Some of 64 are stretched further than any of 8, and what no training saw of a spring is most of the error.
    """
    small = Cell("errors", cell.system, 8, cell.net, cell.modulation, cell.seed)
    energy = ("system.energy=1.0",) if cell.part == "hotter" else ()
    metrics = f"evaluation.metrics=[{','.join(ERRORS)}]"
    return transfer((*words(small), *energy), (*words(cell), metrics), ERRORS, outputs)


def of_step(cell: Cell, outputs: str) -> Figures:
    """Of Adam."""
    chosen = ("trainer.steps", "optimizer", "locality", "learner", "modulation.code_dim")
    kept = [word for word in words(cell) if not word.startswith(chosen)]
    odd = cell.system == "damped_chain"
    return step([*kept, "optimizer=adam", "locality=none", "modulation.code_dim=3"], 2 * cell.size + odd)


PARTS = {"errors": of_errors, "transfer": of_transfer, "hotter": of_transfer, "scaling": of_errors, "step": of_step}


def cells() -> list[Cell]:
    """All of them, the figures of the issue first."""
    seeds = (0, 1, 2)
    every = [Cell("errors", s, n, GRAPH, "svd", seed) for (s, n, _) in BARS for seed in seeds]
    every += [Cell("errors", s, n, DENSE, "svd", seed) for (s, n, _) in BARS for seed in seeds]
    every += [Cell("errors", s, n, GRAPH, "shift", seed) for s, n in FEATURED for seed in seeds]
    every += [Cell("errors", "clusters", 7, net, "svd", seed) for net in (GRAPH, DENSE) for seed in seeds]
    every += [Cell("transfer", "fput", n, GRAPH, "svd", seed) for seed in seeds for n in (16, 32, 64, 128)]
    every += [Cell("hotter", "fput", n, GRAPH, "svd", seed) for seed in seeds for n in (16, 32, 64)]
    every += [Cell("step", system, n, GRAPH, "svd", 0) for system in ("fput", "damped_chain") for n in SIZES]
    every += [
        Cell("scaling", "fput", n, net, modulation, seed)
        for n in SCALED
        for net in (GRAPH, DENSE, FREE)
        for modulation in ("svd", "shift")
        for seed in seeds
    ]
    return list(dict.fromkeys(every))


def table(rows: list[Row]) -> str:
    """What is measured, beside its bars."""
    lines: dict[bool, list[list[str]]] = {False: [], True: []}
    for cell, line in by_cell(rows, ERRORS):
        bar = BARS.get((cell.system, cell.size, cell.net)) if cell.part == "errors" else None
        lines[cell.part == "scaling"].append([*line, " / ".join(map(str, bar)) if bar else ""])
    head = ["part", "system", "n", "net", "modulation", "field x 1e-2", "trajectory x 1e-2", "training s", "bars"]
    stepped = dict.fromkeys(row["system"] for row in rows if row["part"] == "step")
    text = f"# Many bodies\n\n{PARTS_IN_WORDS}\n\n" + markdown(head, lines[False], [])
    if lines[True]:
        text += SCALING + markdown(head[1:-1], [line[1:-1] for line in lines[True]], [])
    return text + "\n## A step against the number of bodies\n\n" + markdown(*slopes(rows, stepped, "n"), [])


def figure(rows: list[Row]) -> Figure | None:
    """Errors and seconds against n, lines through means over seeds with bands from least to most."""
    scaled = [row for row in rows if row["part"] == "scaling"]
    if not scaled:
        return None
    drawn = Figure(figsize=(3.3 * len(PANELS), 3.0), layout="constrained")
    axes = drawn.subplots(1, len(PANELS), squeeze=False)
    for ax, (name, (label, scale)) in zip(axes[0], PANELS.items(), strict=True):
        for net, colour in COLOURS.items():
            for modulation, line in LINES.items():
                values: dict[int, list[float]] = {}
                for row in scaled:
                    if (row["net"], row["modulation"], row["figure"]) == (net, modulation, name):
                        values.setdefault(row["size"], []).append(scale * row["value"])
                sizes = sorted(values)
                centre, low, high = (
                    [of(values[n]) for n in sizes] for of in (lambda v: np.exp(np.log(v).mean()), min, max)
                )
                ax.plot(sizes, centre, line, color=colour, marker="o", ms=4, lw=1.2, label=f"{net}, {modulation}")
                ax.fill_between(sizes, low, high, color=colour, alpha=0.15, lw=0)
        logarithmic(ax)
        at(ax, list(SCALED))
        ax.set_xlabel("oscillators")
        ax.set_ylabel(label)
    legend(drawn, axes, 3)
    return drawn


def main() -> None:
    """Make what is missing, one cell after another."""
    Study(FOLDER, cells(), PARTS, table, figure).make(command_line())


if __name__ == "__main__":
    main()
