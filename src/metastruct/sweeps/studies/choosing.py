"""Choosing settings by cross-validation over members: each is held out once, and forecast from its own support.

Settings are compared on the same members, so that what makes a member hard cancels: a choice is as good as the best
where the mean over members of log(error / error of the best) is within two of its standard errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from metastruct.config.facts import metric_facts, providing
from metastruct.config.schema import ConfigError, composed
from metastruct.config.words import swept
from metastruct.running.experiment import run
from metastruct.running.validation import validate
from metastruct.runs.files import write_atomically
from metastruct.runs.tables import as_csv

Array = np.ndarray
METRIC = "forecast_error"
WORST = 1e3  # what a forecast that left the finite numbers counts as


@dataclass(frozen=True)
class Choice:
    """One combination of settings.

    Args:
        settings: by their names, those that vary.
        errors: of every member when it was held out, by its name.
        seconds: of all its trainings.
        problem: why there are no errors.
    """

    settings: Mapping[str, str]
    errors: Mapping[str, float]
    seconds: float = 0.0
    problem: str = ""

    @property
    def words(self) -> str:
        """Its settings as on a command line."""
        return " ".join(f"{name}={value}" for name, value in self.settings.items())

    @property
    def values(self) -> Array:
        """The errors of all members `[members]`."""
        return np.nan_to_num(np.array([*self.errors.values()]), nan=WORST, posinf=WORST).clip(1e-12, WORST)

    @property
    def typical(self) -> float:
        """The geometric mean over members; infinite where there is none."""
        return float(np.exp(np.log(self.values).mean())) if self.errors else float("inf")

    def as_good_as(self, best: Choice) -> bool:
        """Can the members not tell the two apart?"""
        names = [name for name in self.errors if name in best.errors]
        if len(names) < 2:
            return self.typical <= best.typical
        pairs = [(self.errors[name], best.errors[name]) for name in names]
        ratio = np.diff(np.log(np.nan_to_num(np.array(pairs), nan=WORST, posinf=WORST).clip(1e-12, WORST)), axis=1)
        return bool(-ratio.mean() <= 2 * ratio.std(ddof=1) / np.sqrt(len(ratio)))


def varied(words: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Words that stay, and the values of each setting that varies, such as rank=1,2,5.

    Raises:
        ConfigError: none varies, or a word cannot be read.
    """
    fixed, several = [], dict[str, list[str]]()
    for word in words:
        values = swept(word) or []
        if len(values) > 1:
            several[word.partition("=")[0]] = values
        else:
            fixed.append(word)
    if not several:
        raise ConfigError("choose needs a setting with several values, such as modulation.code_dim=1,2,3, got none")
    return fixed, several


def choices(words: Sequence[str], folds: int, note: Callable[[str], None]) -> Iterator[Choice]:
    """Every combination, each with a training a fold; those that are there already are not repeated.

    Raises:
        ConfigError: nothing varies, or the first combination makes no sense.
    """
    fixed, several = varied(words)
    quiet = ["logger=none", "evaluation.figures=false", f"evaluation.metrics=[{METRIC}]", f"data.folds={folds}"]
    fixed_here = {word.partition("=")[0] for word in quiet} | {"data.fold"}
    if strangers := [name for name in map(_key, words) if name in fixed_here]:
        raise ConfigError(f"{strangers[0]} is set by choose itself, with --folds; leave it out")
    if not any(word.startswith("data=") for word in fixed):
        fixed = [providing("data", "read_files"), *fixed]
    for values in product(*several.values()):
        settings = dict(zip(several, values, strict=True))
        chosen = [*fixed, *(f"{name}={value}" for name, value in settings.items())]
        errors, seconds, problem = dict[str, float](), 0.0, ""
        for fold in range(folds):
            try:
                cfg = composed(*chosen, *quiet, f"data.fold={fold}")
                if cfg.data.hold_out != "members":
                    raise ConfigError("choose holds out members, one fold after another; leave data.hold_out out")
                validate(cfg)
            except (ConfigError, ValueError) as error:
                problem = str(error)
                break
            note(f"{' '.join(f'{name}={value}' for name, value in settings.items())}, fold {fold + 1} of {folds}")
            folder = run(cfg, shows=False)
            metrics, names = folder.finished(), held_out(folder.report)
            assert metrics is not None
            per_task = [float("nan") if value is None else value for value in metrics[METRIC]["per_task"]]
            errors |= dict(zip(names, per_task, strict=True))
            note(f"{METRIC} {metric_facts(METRIC).spread(metrics[METRIC])} % of the spread")
            seconds += metrics["seconds"]["training"]
        yield Choice(settings, {} if problem else errors, seconds, problem)


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def held_out(report: Path) -> list[str]:
    """The members of evaluation.npz beside a report, in their order."""
    from metastruct.evaluation.archive import Archive

    return [*map(str, Archive.load(report.with_name("evaluation.npz")).test_members)]


def best_of(every: Sequence[Choice]) -> tuple[Choice, list[Choice]]:
    """The choice with the least error, and those that members cannot tell from it, the best among them.

    Raises:
        ConfigError: there is none, and why.
    """
    with_errors = [choice for choice in every if choice.errors]
    if not with_errors:
        raise ConfigError(f"no combination can be trained: {every[0].problem}")
    best = min(with_errors, key=lambda choice: choice.typical)
    return best, [choice for choice in with_errors if choice.as_good_as(best)]


def written(every: Sequence[Choice], path: Path) -> None:
    """Errors of every choice and member, as CSV."""
    lines = [
        {**choice.settings, "member": member, METRIC: f"{value:.6g}"}
        for choice in every
        for member, value in choice.errors.items()
    ]
    write_atomically(path, as_csv(lines))
