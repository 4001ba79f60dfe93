"""Do the rules of verdicts find what is true? python scripts/planted.py [--count 400] [--reference FOLDER] [--only C6]

Tables of results are made up in which a claim is true, or false, by construction, and judged as those of record are.
Their variances and correlations are those of the tables of record: log errors have effects of the seed, of the task and
a rest, half of the variance in each of two settings that are compared. Writes REFERENCE/planted.

Designs: 10x40 are ten seeds, each with forty test tasks of its own (data.seed moves with the seed), `fixed` has the
same tasks for all seeds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from variances import ERRORS, FOLDER, Spread, spreads

from metastruct.evaluation.effects import Effects
from metastruct.paper.claims import CLAIMS
from metastruct.paper.claims import claim as claim_module
from metastruct.paper.claims.rules import HELD, NOT_HELD, UNDECIDED
from metastruct.paper.methods import BASELINES, SVD
from metastruct.paper.results import Result, Results
from metastruct.paper.sources import Measured
from metastruct.runs.arguments import Flags, counted, placed
from metastruct.runs.lines import write_lines
from metastruct.runs.provenance import sign

DESIGNS = {"10x40": (10, 40, True), "10x40 fixed": (10, 40, False), "5x40": (5, 40, True), "3x10 fixed": (3, 10, False)}
SYSTEMS = ("pendulum", "mass_spring", "duffing", "morse")
RANKS = {"pendulum": 3, "mass_spring": 3, "duffing": 2, "morse": 3}
NOTE = (
    "Variances from the tables of record. Designs: seeds x test tasks, which move with the seed unless they are fixed. "
    "Wrong is the opposite verdict, or held where the truth forbids no more than that. Coverage: of the interval of "
    "each comparison alone, of that given all comparisons, and of the pooled one, in percent."
)
NEVER = "not held or undecided"


Errors = Callable[[np.random.Generator], Iterator[tuple[dict[str, str], float]]]  # of each setting its log error
ALONE = ("10", ERRORS[0])  # the piece of the first training that a log error under `alone` is about


def made(name: str, errors: Errors, spread: Spread, rng: np.random.Generator, design: tuple[int, int, bool]) -> Results:
    """A table of results."""
    runs = []
    for settings, error in errors(rng):
        drawn = spread.drawn(rng, *design)
        levels = {piece: float(settings.get("alone", error)) if piece == ALONE else error for piece in drawn}
        for steps in dict.fromkeys(steps for steps, _ in drawn):
            for seed in range(design[0]):
                line = {"seed": str(seed), "run": name, "adaptation": "gradient", "shots": "200", "steps": steps}
                values = {e: np.exp(levels[steps, e] + drawn[steps, e][seed] - 3) for e in ERRORS}
                runs.append(Result(line | settings, values, ("",) * design[1]))
    return Results(name, tuple(runs))


def c1(ratio: float, between: float = 1.0) -> Errors:
    """SVD at a ratio of the baselines, which differs by a factor between systems."""

    def errors(rng: np.random.Generator) -> Iterator[tuple[dict[str, str], float]]:
        for system in SYSTEMS:
            yield {"system": system, "method": SVD}, np.log(ratio) + np.log(between) * rng.normal()
            yield from (({"system": system, "method": method}, 0.0) for method in BASELINES)

    return errors


def c2(ratio: float, worst: float = 3.0) -> Errors:
    """SVD at a ratio of its best rival, on every system; the other ten are worse, up to a factor."""

    def errors(_: np.random.Generator) -> Iterator[tuple[dict[str, str], float]]:
        for system in SYSTEMS:
            yield {"system": system, "method": SVD}, np.log(ratio)
            for number, level in enumerate(np.linspace(0, np.log(worst), 11)):
                yield {"system": system, "method": f"rival {number}"}, level

    return errors


def c6(ratio: float, training: float | None = None, single: float | None = None) -> Errors:
    """One start at a ratio of the other, but for one training, or one of its numbers of steps and errors."""

    def errors(_: np.random.Generator) -> Iterator[tuple[dict[str, str], float]]:
        for place in range(6):
            line = {"system": SYSTEMS[place // 3], "method": f"method {place % 3}", "codes": "evolving"}
            alone = {"alone": str(np.log(single))} if single and not place else {}
            yield line | {"start": "mean"} | alone, np.log(ratio if place else training or ratio)
            yield line | {"start": "zero"}, 0.0

    return errors


def p31(drop: float, later: float = 1.0) -> Errors:
    """An error that is higher by a factor below the local rank, and constant from there on, but for one family."""

    def errors(_: np.random.Generator) -> Iterator[tuple[dict[str, str], float]]:
        for system, rank in RANKS.items():
            for dim in range(1, 7):
                still = later if system == "duffing" and dim == rank else 1.0
                yield (
                    {"system": system, "modulation": "svd", "code_dim": str(dim)},
                    np.log(drop if dim < rank else still),
                )

    return errors


TRUTHS: dict[str, tuple[str, str, Errors, str]] = {  # claim, table, errors, right verdict
    "C1, cuts of 75 %": ("C1", "baselines", c1(0.25), HELD),
    "C1, cuts of 55 %": ("C1", "baselines", c1(0.45), NOT_HELD),
    "C1, cuts of 75 %, a factor of 1.3 more or less by system": ("C1", "baselines", c1(0.25, 1.3), HELD),
    "C1, cuts of 55 %, a factor of 1.3 more or less by system": ("C1", "baselines", c1(0.45, 1.3), NOT_HELD),
    "C2, svd at half its best rival": ("C2", "main", c2(0.5), HELD),
    "C2, svd at 1.3 x its best rival": ("C2", "main", c2(1.3), NOT_HELD),
    "C2, all methods equal": ("C2", "main", c2(1.0, 1.0), NEVER),
    "C6, ratio 0.8": ("C6", "initialisation", c6(0.8), HELD),
    "C6, ratio 1": ("C6", "initialisation", c6(1.0), NOT_HELD),
    "C6, ratio 0.8, one training of six at 1.3": ("C6", "initialisation", c6(0.8, training=1.3), NOT_HELD),
    "C6, ratio 0.8, one training of six at 1.5": ("C6", "initialisation", c6(0.8, training=1.5), NOT_HELD),
    "C6, ratio 0.8, one comparison of 24 at 1.5": ("C6", "initialisation", c6(0.8, single=1.5), NOT_HELD),
    "C6, ratio 0.8, one comparison of 24 at 2": ("C6", "initialisation", c6(0.8, single=2.0), NOT_HELD),
    "P3.1, with a drop to a third": ("P3.1", "codes", p31(3.0), HELD),
    "P3.1, with the drop, and a fall by 1.3 after it on one family": ("P3.1", "codes", p31(3.0, 1.3), NOT_HELD),
    "P3.1, without a drop": ("P3.1", "codes", p31(1.0), NOT_HELD),
}


def judged(claim: str, results: Results) -> str:
    """The verdict on a made-up table."""
    (one,) = [entry for entry in CLAIMS if entry.name == claim]
    tables = {results.name: results} | ({"morse": Results("morse", ())} if claim == "C2" else {})
    return one.judge(Measured(tables, local_ranks=RANKS)).verdict


def share(values: Sequence[bool]) -> str:
    """In percent."""
    return f"{100 * float(np.mean(values)):.1f}"


def covered(spread: Spread, between: float, count: int, design: tuple[int, int, bool]) -> tuple[str, str, str]:
    """How often the interval of each comparison, the one given all comparisons and the pooled one hold the truth."""
    alone, given, pooled = [], [], []
    for number in range(count):
        rng = np.random.default_rng([1, number])
        arrays: list[np.ndarray] = []
        truths = np.log(0.8) + between * rng.normal(size=24)
        for _ in range(6):
            one, other = spread.drawn(rng, *design), spread.drawn(rng, *design)
            arrays += [truths[len(arrays) + place] + one[key] - other[key] for place, key in enumerate(one)]
        groups, kinds = [str(place // 4) for place in range(24)], [str(place % 4) for place in range(24)]
        effects = Effects.of([*map(str, range(24))], arrays, groups, kinds)
        alone += [e.low < truth < e.high for e, truth in zip(effects.estimates, truths, strict=True)]
        for place, truth in enumerate(truths):
            given.append(0.025 < effects.beyond(truth)[place] < 0.975)
        mean = effects.pooled
        pooled.append(mean.low < effects.weights @ truths < mean.high)
    return share(alone), share(given), share(pooled)


def main() -> None:
    """Simulate, judge, write."""
    parser = Flags(__doc__)
    parser.add_argument(
        "--count",
        type=counted(),
        default=400,
        help="simulated tables of each truth; a quarter of it for other designs than 10x40",
    )
    parser.add_argument("--reference", type=placed(), default=FOLDER)
    parser.add_argument("--only", default="", help="truths that begin so; prints and writes nothing")
    parser.add_argument("--designs", nargs="+", choices=DESIGNS, default=[*DESIGNS])
    options = parser.parse_args()
    designs = {name: DESIGNS[name] for name in options.designs}
    claim_module.deciding = lambda *_: None  # what would decide is not asked here, and takes most of the time
    measured = spreads()
    lines: list[dict[str, Any]] = []
    for truth, (claim, name, errors, right) in TRUTHS.items():
        if not truth.startswith(options.only):
            continue
        for label, design in designs.items():
            verdicts = []
            count = options.count if label == "10x40" else options.count // 4
            for number in range(count):
                rng = np.random.default_rng(number)
                verdicts.append(judged(claim, made(name, errors, measured[name], rng, design)))
            wrong = {HELD: NOT_HELD}.get(right, HELD)
            good = {NOT_HELD, UNDECIDED} if right == NEVER else {right}
            line = {"truth": truth, "design": label, "right verdict": right}
            line |= {"judged right, %": share([v in good for v in verdicts])}
            line |= {"wrongly decided, %": share([v == wrong for v in verdicts]), "tables": count}
            lines.append(line)
            print(*line.values(), sep=" | ", flush=True)
    for between in () if options.only else (0.0, 0.1, 0.3):
        for label, design in designs.items():
            found = covered(measured["initialisation"], between, options.count // 4, design)
            line = {"truth": f"coverage of 95 % intervals, spread of the log ratios {between}", "design": label}
            line |= {"right verdict": "", "judged right, %": " / ".join(found), "wrongly decided, %": ""}
            lines.append(line | {"tables": options.count // 4})
            print(*line.values(), sep=" | ", flush=True)
    if not options.only:
        folder = options.reference / "planted"
        folder.mkdir(parents=True, exist_ok=True)
        write_lines(folder, lines, "Verdicts on tables whose truth is known", NOTE)
        sign(folder, ["scripts/planted.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
