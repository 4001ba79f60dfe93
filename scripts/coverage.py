"""Do error bars hold, and are strangers told? python scripts/coverage.py [--members 400] [--only 0.05]

Trains the pendulum family on observations of each noise, adapts to new members from few and many observations of each
noise, and counts how often bars of 50, 80 and 95 % hold the true field at query states; a cell is tested by its
members, which are what is independent, with Holm's correction over all cells. Beside it the width over that of an
oracle, the law with unknown parameters; then how often strangers, or members outside of the range of parameters, are
told.
Writes table.md and records.csv into outputs/reference/coverage/.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

import metastruct
from metastruct.adaptation.adaptation import Fit
from metastruct.adaptation.error_bars import error_bar
from metastruct.api.model import Model
from metastruct.config.schema import composed
from metastruct.data.noise import noisy, spread
from metastruct.data.observations import Observations, support
from metastruct.data.simulate import Simulation, simulate
from metastruct.data.simulated import seen
from metastruct.running.experiment import run
from metastruct.runs.files import write_atomically
from metastruct.runs.provenance import sign
from metastruct.systems.system import Array, System

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "outputs" / "reference" / "coverage"
NOISES, SHOTS, LEVELS = (0.0, 0.01, 0.05, 0.2), (2, 10, 50, 200), (0.5, 0.8, 0.95)
SPLIT, SUPPORT, EVERY, TRIALS, STEP = 11, 5, 10, 100, 1e-5  # 5: those by which the constants of `agreement` were chosen
WORDS = (
    "system=pendulum",
    "modulation=svd",
    "logger=none",
    "evaluation.figures=false",
    "evaluation.metrics=[field_error]",
)
TITLE = "How often error bars hold the true field"


def trained(noise: float, outputs: str) -> Model:
    """The model of a training on observations with this noise, made once."""
    return metastruct.load(run(composed(*WORDS, f"data.noise={noise}", f"outputs={outputs}")).path)


def fitted(model: Model, observations: Observations, adaptation: str = "levenberg_marquardt") -> Fit:
    """Codes of members from their observations."""
    learned = model._trained
    start = learned.start(len(observations), "mean")
    return model._adaptation(adaptation, {}).fit(learned.model, learned.objective, observations, start, model._prior)


def family(system: System, mu: Array | None, members: int, seed: int) -> Simulation:
    """New members, of these parameters or of any in the range."""
    if mu is None:
        return simulate(system, seed, members, 2 * SUPPORT, 10.0, 200, 1e-9, 0)
    twin = _Fixed(system, mu)
    return simulate(twin, seed, members, 2 * SUPPORT, 10.0, 200, 1e-9, 0)  # type: ignore[arg-type]


class _Fixed:
    """A family whose members are given."""

    def __init__(self, system: System, mu: Array):
        self._system, self._mu = system, mu

    def sample_parameters(self, generator: np.random.Generator, task: int) -> Array:
        return np.asarray(self._mu[task])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)


def observed(model: Model, simulation: Simulation, std: tuple[Array, Array], noise: float, shots: int) -> Observations:
    """So many observations of each member with the noise, which is told."""
    objective = model._trained.objective
    members = seen(noisy(simulation, std, noise, 1, SPLIT, SUPPORT).members, noise, std, SUPPORT, True)
    parts = [member.part(slice(SUPPORT)) for member in members]
    return support(parts, shots, 0, objective.reads, objective.window, objective.least)


def bars(model: Model, fit: Fit, x: Array) -> tuple[Array, list[Array]]:
    """The field at x, and half the widths of bars of each level."""
    pairs = [error_bar(model._trained.model, torch.from_numpy(x), fit, model._prior, level) for level in LEVELS]
    return pairs[0][0].numpy(), [half.numpy() for _, half in pairs]


def oracle(system: System, mu: Array, at: Observations, std: tuple[Array, Array], noise: float, x: Array) -> Array:
    """Standard deviation of the true field at x with parameters that the same observations leave, to first order."""
    states = at.states.numpy()
    steps = STEP * np.ptp(system.ranges, axis=1)

    def by_parameters(places: Array) -> Array:
        shifts = [system.vector_field(places, mu + s) - system.vector_field(places, mu - s) for s in np.diag(steps)]
        return np.stack(shifts, -1) / (2 * steps)

    slopes = np.stack(
        [
            (system.vector_field(states + d, mu) - system.vector_field(states - d, mu)) / (2 * STEP)
            for d in STEP * np.eye(states.shape[-1])
        ],
        -1,
    )
    errors = (slopes * (noise * std[0]) ** 2) @ slopes.swapaxes(-1, -2) + np.diag((noise * std[1]) ** 2)
    j = by_parameters(states)
    information = np.einsum("tnsa,tnsr,tnrb->tab", j, np.linalg.inv(errors), j)
    covariance = np.linalg.inv(information + np.diag(12 / np.ptp(system.ranges, axis=1) ** 2))
    j = by_parameters(x)
    return np.sqrt(np.einsum("tnsa,tab,tnsb->tns", j, covariance, j))


def holm(p_values: Array) -> Array:
    """Adjusted p-values."""
    order, count = np.argsort(p_values), len(p_values)
    adjusted = np.maximum.accumulate(p_values[order] * (count - np.arange(count))).clip(max=1.0)
    return np.asarray(adjusted[np.argsort(order)])


def cells(model: Model, trained_with: float, simulation: Simulation, std: tuple[Array, Array]) -> Iterator[list[Any]]:
    """One row for each noise and number of shots."""
    system = _system(model)
    x = simulation.states[:, SUPPORT:, ::EVERY].reshape(len(simulation.states), -1, simulation.states.shape[-1])
    truth = system.vector_field(x, simulation.parameters)
    for noise in NOISES:
        for shots in SHOTS:
            at = observed(model, simulation, std, noise, shots)
            fit = fitted(model, at)
            field, halves = bars(model, fit, x)
            row: list[Any] = [trained_with, noise, shots]
            for level, half in zip(LEVELS, halves, strict=True):
                inside = (np.abs(field - truth) <= half).mean((1, 2))
                row += [inside.mean(), stats.ttest_1samp(inside, level).pvalue]
            ratio = np.nan
            if noise:
                clean = replace(at, states=torch.from_numpy(_clean(simulation, at, shots)))
                ratio = np.median(
                    halves[0] / stats.norm.ppf(0.75) / oracle(system, simulation.parameters, clean, std, noise, x)
                )
            assert fit.agreement is not None
            error, bar = (np.sqrt((part**2).mean((1, 2))) for part in (field - truth, halves[-1]))
            row += [ratio, float(fit.agreement.strange.double().mean()), float(fit.agreement.flagged.double().mean())]
            row += [float((error > 2 * bar).mean())]
            print(" ".join(f"{value:.3g}" for value in row), flush=True)
            yield row


def _clean(simulation: Simulation, at: Observations, shots: int) -> Array:
    """The true states of the same draws."""
    members = [member.part(slice(SUPPORT)) for member in simulation.members]
    return support(members, shots, 0, ("states",), 1).states.numpy()


def _system(model: Model) -> System:
    from metastruct.running.assembly import build_system
    from metastruct.running.run import Run

    system = build_system(Run.of(model._cfg).config)
    assert system is not None
    return system


def strangers(model: Model, simulation: Simulation, std: tuple[Array, Array], noise: float) -> dict[str, float]:
    """Share of trials that are told to be none of the family, by what they are."""
    generator = np.random.default_rng(3)
    few = replace(simulation, states=simulation.states[:TRIALS], derivatives=simulation.derivatives[:TRIALS])
    few = replace(few, parameters=simulation.parameters[:TRIALS])
    degrees = np.array([180 / np.pi, 1.0])
    shape = few.states.shape
    kinds = {
        "degrees for radians": replace(few, states=few.states * degrees, derivatives=few.derivatives * degrees),
        "pure noise": replace(
            few,
            states=std[0] * generator.standard_normal(shape),
            derivatives=std[1] * generator.standard_normal(shape),
        ),
        "damped": replace(few, derivatives=few.derivatives - np.array([0.0, 0.5]) * few.states),
        "hardening spring": replace(
            few, derivatives=few.derivatives - np.array([0.0, 1.0]) * few.states[..., ::-1] ** 3
        ),
    }
    shares = {}
    for name, simulated in kinds.items():
        for shots in SHOTS:
            fit = fitted(model, observed(model, simulated, std, noise, shots))
            assert fit.agreement is not None
            shares[f"{name}, {shots} shots"] = float(fit.agreement.flagged.double().mean())
    return shares


def outside(model: Model, std: tuple[Array, Array], noise: float, shots: int) -> tuple[int, int, float]:
    """Members 0-80 % outside of the range: how many, of them with an error above twice the bar, and those told."""
    system, generator = _system(model), np.random.default_rng(4)
    low, high = system.ranges.T
    share = np.linspace(0.0, 0.8, TRIALS)[:, None]
    side = generator.integers(0, 2, (TRIALS, len(low)))
    mu = np.where(side, high + share * (high - low), np.maximum(low - share * (high - low), 0.2 * low))
    mu[:, system.parameter_names.index("q0")] = generator.uniform(low[-1], high[-1], TRIALS)
    simulation = family(system, mu, TRIALS, 6)
    fit = fitted(model, observed(model, simulation, std, noise, shots))
    x = simulation.states[:, SUPPORT:, ::EVERY].reshape(TRIALS, -1, 2)
    field, halves = bars(model, fit, x)
    error = np.sqrt(((field - system.vector_field(x, mu)) ** 2).mean((1, 2)))
    wrong = error > 2 * np.sqrt((halves[-1] ** 2).mean((1, 2)))
    assert fit.agreement is not None
    told = fit.agreement.flagged.numpy()
    return TRIALS, int(wrong.sum()), float(told[wrong].mean()) if wrong.any() else 1.0


def main() -> None:
    """Train, adapt, count; then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=400)
    parser.add_argument("--only", type=float, help="noise of the training")
    parser.add_argument("--outputs", default=str(ROOT / "outputs"))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    rows, lines = [], []
    simulation = std = None
    for noise in NOISES if options.only is None else (options.only,):
        with torch.enable_grad():
            model = trained(noise, options.outputs)
        if simulation is None or std is None:
            simulation = family(_system(model), None, options.members, SPLIT)
            std = spread(simulation)
        rows += list(cells(model, noise, simulation, std))
        for of_support in (0.0, 0.05):
            for name, share in strangers(model, simulation, std, of_support).items():
                lines.append(f"trained with {noise:.0%}, observed with {of_support:.0%}: {name}: told {share:.0%}")
            for shots in SHOTS:
                count, wrong, told = outside(model, std, of_support, shots)
                lines.append(
                    f"trained with {noise:.0%}, observed with {of_support:.0%}: "
                    f"{count} members 0-80 % outside, {shots} shots: "
                    f"{wrong} err by more than twice their bar, of them told {told:.0%}"
                )
    adjusted = holm(np.array([p for row in rows for p in row[4:9:2]]).astype(float)).reshape(len(rows), -1)
    names = ["trained", "noise", "shots"]
    names += [f"{word}_{level}" for level in LEVELS for word in ("coverage", "p")] + [
        "width",
        "strange",
        "flagged",
        "wrong",
    ]
    text = "\n".join([",".join(names), *(",".join(f"{value:.6g}" for value in row) for row in rows)]) + "\n"
    table = [
        "| trained | observed | shots | 50 % | 80 % | 95 % | width / oracle | flagged |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row, p in zip(rows, adjusted, strict=True):
        shares = " | ".join(f"{100 * row[3 + 2 * k]:.1f}{'*' if p[k] < 0.05 else ''}" for k in range(len(LEVELS)))
        table.append(f"| {row[0]:.0%} | {row[1]:.0%} | {row[2]} | {shares} | {row[9]:.2f} | {row[11]:.1%} |")
    pooled = [100 * np.mean([row[3 + 2 * k] for row in rows]) for k in range(len(LEVELS))]
    table.append(
        f"\nPooled {' / '.join(f'{value:.1f}' for value in pooled)}; * rejected by Holm at 5 %: "
        f"{int((adjusted < 0.05).sum())} of {adjusted.size}.\n"
    )
    write_atomically(options.folder / "records.csv", text)
    write_atomically(
        options.folder / "table.md", "\n".join([f"# {TITLE}", "", *table, *(f"- {line}" for line in lines)]) + "\n"
    )
    sign(options.folder, ["scripts/coverage.py", *sys.argv[1:]])
    print((options.folder / "table.md").read_text())


if __name__ == "__main__":
    main()
