"""Choose settings by cross-validation over members: each is held out once and forecast from its own support.

metastruct choose data.path=measured.csv data.states=[q,p] modulation.code_dim=1,2,3
                  dynamics=hamiltonian,unstructured [--folds 4] [--output FOLDER] [force=true]

Words are those of metastruct train; settings with several values vary, every combination with every other.
data.train_members=5,10,20 shows how the error falls with the number of members. Killed, the same command goes on.
force=true repeats the trainings, and replaces what FOLDER holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from metastruct.commands import destination, numbers, parsed, whole
from metastruct.runs.files import make_folder

PLACES = ("SETTING=VALUE,VALUE",)
FLAGS = {"--folds": "4", "--output": "FOLDER"}


def main(words: Sequence[str]) -> None:
    """Train, compare, print, draw and write."""
    settings = [word for word in words if not word.startswith("--") and "=" in word]
    _, flags = parsed([word for word in words if word not in settings], "choose", FLAGS, ())
    (folds,) = numbers("--folds", flags.get("--folds", FLAGS["--folds"]), 1)
    if folds != int(folds) or folds < 2:
        raise ValueError(f"--folds must be a whole number of at least 2, got {folds:g}")
    forced = dict([word.split("=", 1) for word in settings if word.startswith("force=")])
    output = destination("--output", Path(flags.get("--output", "choice")), forced, "errors.csv")
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from metastruct.running.explanations import explained
    from metastruct.running.tracking import console
    from metastruct.sweeps.studies.choosing import best_of, choices, written

    try:
        every = [*choices(settings, int(folds), console.note)]
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(explained(error)) from None
    best, alike = best_of(every)
    from metastruct.sweeps.studies.choice_figure import draw

    rows = []
    for choice in every:
        verdict = choice.problem or ("best" if choice is best else "as good" if choice in alike else "")
        cells = [f"{100 * choice.typical:.3g}", f"{100 * choice.values.max():.3g}", f"{choice.seconds:.3g}"]
        rows.append([*choice.settings.values(), *(cells if choice.errors else "---"), verdict])
    columns = (*best.settings, "geometric mean", "worst", "training, s", "")
    console.show(columns, rows, f"{len(best.errors)} members held out in turn: forecast error, % of the spread")
    make_folder(output)
    with whole(output / "errors.csv", output / "errors.png"):
        written(every, output / "errors.csv")
        draw([(choice.settings, choice.values) for choice in every if choice.errors], output / "errors.png")
    print(f"best: {best.words}; every member in {output}/errors.csv, curve in {output}/errors.png")
