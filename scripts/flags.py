"""Are strangers told, and members outside of the range? python scripts/flags.py [--trained 0] [--noises 0 0.05]

A hundred trials each: members in degrees, pure noise, damped pendulums, springs that harden, told to be none of the
family; members of the family, which must not be; and members 0-80 % outside of the range of parameters, of which those
must be told whose error exceeds twice its bar of 95 %.
From two observations a damped pendulum may be another pendulum of the family. So beside it stands the share that the
best test would tell with 5 % of false alarms, the likelihood ratio of one who knows both laws and the range of their
parameters (Neyman and Pearson 1933).
Writes records.csv and table.md into outputs/reference/flags/.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from metastruct.runs.arguments import Flags, numbered, placed

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "flags"


def command_line() -> Namespace:
    """Those of the command line."""
    parser = Flags(__doc__)
    parser.add_argument("--trained", nargs="+", type=numbered(), default=[0.0], help="noise of the training")
    parser.add_argument("--noises", nargs="+", type=numbered(), default=[0.0, 0.05])
    parser.add_argument("--outputs", type=placed(), default=str(ROOT / "outputs"))
    parser.add_argument("--folder", type=placed(), default=FOLDER)
    return parser.parse_args()


if __name__ == "__main__":
    command_line()  # a mistake is answered before torch is there, which takes seconds

import numpy as np
import torch
from cells import write
from coverage import EVERY, SHOTS, SUPPORT, bars, family, fitted, observed, system_of, trained
from oracle import STEP
from scipy.optimize import least_squares
from scipy.special import logsumexp

from metastruct.api.model import Model
from metastruct.data.noise import spread
from metastruct.data.simulate import Simulation
from metastruct.runs.lines import markdown
from metastruct.systems.system import Array, System

TRIALS, MEMBERS, FEW = 100, 200, 2  # members: those of the family; few: shots of the best test
NAMES = ("trained", "noise", "shots", "what", "count", "told", "best_test")
HEADS = ("trained", "observed", "shots", "what", "count", "told", "best test")
FALSE, DRAWS, STARTS = 0.05, 5_000, 4
SPLIT, OUTSIDE = 13, 6
Law = Callable[[Array, Array], Array]
EXTRA: dict[str, Callable[[Array], Array]] = {  # what dx/dt has beside the law, of states [..., state]
    "damped": lambda x: x * np.array([0.0, -0.5]),
    "hardening spring": lambda x: x[..., ::-1] ** 3 * np.array([0.0, -1.0]),
}


def strangers(simulation: Simulation, std: tuple[Array, Array]) -> dict[str, Simulation]:
    """The trials by what they are; the members of the family are the first."""
    generator = np.random.default_rng(3)
    parts = ("states", "derivatives", "parameters")
    few = replace(simulation, **{name: getattr(simulation, name)[:TRIALS] for name in parts})
    degrees, shape = np.array([180 / np.pi, 1.0]), few.states.shape
    noise = [scale * generator.standard_normal(shape) for scale in std]
    return {
        "member of the family": simulation,
        "degrees for radians": replace(few, states=few.states * degrees, derivatives=few.derivatives * degrees),
        "pure noise": replace(few, states=noise[0], derivatives=noise[1]),
        **{name: replace(few, derivatives=few.derivatives + extra(few.states)) for name, extra in EXTRA.items()},
    }


def outside(model: Model, std: tuple[Array, Array], noise: float, shots: int) -> tuple[int, float]:
    """Of members 0-80 % outside of the range those with an error above twice the bar, and the share of them told."""
    system, generator = system_of(model), np.random.default_rng(4)
    low, high = system.ranges.T
    share = np.linspace(0.0, 0.8, TRIALS)[:, None]
    side = generator.integers(0, 2, (TRIALS, len(low)))
    mu = np.where(side, high + share * (high - low), np.maximum(low - share * (high - low), 0.2 * low))
    mu[:, system.parameter_names.index("q0")] = generator.uniform(low[-1], high[-1], TRIALS)
    simulation = family(system, mu, TRIALS, OUTSIDE)
    fit = fitted(model, observed(model, simulation, std, noise, shots))
    x = simulation.states[:, SUPPORT:, ::EVERY].reshape(TRIALS, -1, 2)
    field, halves = bars(model, fit, x)
    error = np.sqrt(((field - system.vector_field(x, mu)) ** 2).mean((1, 2)))
    wrong = error > 2 * np.sqrt((halves[-1] ** 2).mean((1, 2)))
    assert fit.agreement is not None
    return int(wrong.sum()), float(fit.agreement.flagged.numpy()[wrong].mean()) if wrong.any() else 1.0


def optimal(model: Model, trials: dict[str, Simulation], std: tuple[Array, Array], noise: float, name: str) -> float:
    """Share of the trials that the likelihood ratio of both laws tells from few observations."""
    system = system_of(model)
    evidence = _evidence_of_noise if noise else _evidence_of_exact
    extra = EXTRA[name]

    def ratios(simulation: Simulation) -> Array:
        at = observed(model, simulation, std, noise, FEW)
        assert at.derivatives is not None
        x, y = at.states.numpy()[:TRIALS], at.derivatives.numpy()[:TRIALS]
        other = evidence(system, lambda x, mu: system.vector_field(x, mu) + extra(x), x, y, noise, std)
        return np.nan_to_num(other - evidence(system, system.vector_field, x, y, noise, std), nan=0.0)

    critical = np.quantile(ratios(trials["member of the family"]), 1 - FALSE)
    return float((ratios(trials[name]) > critical).mean())


def _evidence_of_noise(system: System, law: Law, x: Array, y: Array, noise: float, std: tuple[Array, Array]) -> Array:
    """log p(y | x) `[trials]` by draws from the range; errors of states to first order."""
    low, high = system.ranges.T
    mu = np.random.default_rng(7).uniform(low, high, (DRAWS, len(low)))
    values = []
    for states, derivatives in zip(x, y, strict=True):
        at = np.broadcast_to(states, (DRAWS, *states.shape))
        slopes = [(law(at + d, mu) - law(at - d, mu)) / (2 * STEP) for d in STEP * np.eye(states.shape[-1])]
        f = np.stack(slopes, -1) * (noise * std[0])
        covariance = f @ f.swapaxes(-1, -2) + np.diag((noise * std[1]) ** 2)
        gap = derivatives - law(at, mu)
        chi = (gap * np.linalg.solve(covariance, gap[..., None])[..., 0]).sum((-2, -1))
        values.append(logsumexp(-chi / 2 - np.linalg.slogdet(covariance)[1].sum(-1) / 2))
    return np.array(values)


def _evidence_of_exact(system: System, law: Law, x: Array, y: Array, noise: float, std: tuple[Array, Array]) -> Array:
    """The same without noise, up to what both laws share: the density at the parameters that explain everything."""
    low, high = system.ranges.T
    starts = np.random.default_rng(7).uniform(low, high, (STARTS, len(low)))
    values = []
    for states, derivatives in zip(x, y, strict=True):

        def gap(mu: Array, states: Array = states, derivatives: Array = derivatives) -> Array:
            return np.asarray(((law(states[None], mu[None])[0] - derivatives) / std[1]).ravel())

        modes: dict[tuple[float, ...], float] = {}
        for start in starts:
            fit = least_squares(gap, start, x_scale=high - low)
            if fit.cost < 1e-16 and (fit.x >= low).all() and (fit.x <= high).all():
                modes[tuple(np.round(fit.x, 4))] = -np.linalg.slogdet(fit.jac.T @ fit.jac)[1] / 2
        values.append(logsumexp([*modes.values()]) if modes else -np.inf)
    return np.array(values)


def rows_of(model: Model, trained_with: float, noise: float) -> Iterator[list[Any]]:
    """Training, noise, shots, kind, how many, share told, and that of the best test, where it is asked."""
    simulation = family(system_of(model), None, MEMBERS, SPLIT)
    std = spread(simulation)
    trials = strangers(simulation, std)
    for shots in SHOTS:
        for name, each in trials.items():
            fit = fitted(model, observed(model, each, std, noise, shots))
            assert fit.agreement is not None
            best = optimal(model, trials, std, noise, name) if shots == FEW and name in EXTRA else ""
            told = float(fit.agreement.flagged.double().mean())
            yield [trained_with, noise, shots, name, len(each.states), told, best]
        yield [trained_with, noise, shots, "outside, error above twice the bar", *outside(model, std, noise, shots), ""]


def table(rows: list[list[Any]]) -> str:
    """In Markdown."""
    body = []
    for trained_with, noise, shots, name, count, told, best in rows:
        share = f"{best:.0%}" if best != "" else ""
        body.append([f"{trained_with:.0%}", f"{noise:.0%}", f"{shots}", name, f"{count}", f"{told:.0%}", share])
    return "# Who is told\n\n" + markdown(HEADS, body, [])


def main() -> None:
    """Count, then write the table."""
    options = command_line()
    torch.set_grad_enabled(False)
    rows = []
    for trained_with in options.trained:
        with torch.enable_grad():
            model = trained(trained_with, options.outputs)
        for noise in options.noises:
            for row in rows_of(model, trained_with, noise):
                print(*row, flush=True)
                rows.append(row)
    write(options.folder, [dict(zip(NAMES, row, strict=True)) for row in rows], table(rows))
    print((options.folder / "table.md").read_text())


if __name__ == "__main__":
    main()
