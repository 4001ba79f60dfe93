"""Adapt a trained model to new members: codes, error bars, what they mean, a forecast, and a file that keeps them.

metastruct adapt RUN NEW.csv [--output FOLDER] [--outliers 6] [--work 2]
                            [--adaptation levenberg_marquardt] [--steps 100] [force=true]

NEW is a table as the training read it, of one member or of several, without labels. FOLDER, by default NEW-adapted,
takes member.safetensors (of several, members.safetensors), forecast.csv and forecast.png: along each trajectory, from
its first observation. What is there already is replaced by force=true alone. --outliers sets single observations aside
that are so many standard deviations of the noise away from what surrounds them, by default as data.outliers of the
training says; --steps is how many steps a fit may take; --work is how many times the usual million steps a forecast may
take. From Python: metastruct.load(RUN).adapt(...).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metastruct.commands import allowed_work, destination, numbers, parsed, whole
from metastruct.data.family import Family
from metastruct.runs.files import make_folder
from metastruct.runs.folder import RunFolder

if TYPE_CHECKING:
    from metastruct.api.members import Members
    from metastruct.api.model import Model

PLACES = ("RUN", "NEW")
RESULTS = ("forecast.csv", "forecast.png", "member.safetensors", "members.safetensors")
FLAGS = {
    **{"--output": "FOLDER", "--outliers": "6", "--work": "2", "--adaptation": "NAME", "--steps": "100"},
    "force": "true",
}


def main(words: Sequence[str]) -> None:
    """Adapt, print, draw and write."""
    (folder, path), flags = parsed(words, "adapt", FLAGS, PLACES)
    if not Path(folder).is_dir():
        raise ValueError(f"{folder} must be the folder of a finished run, got no folder")
    if not Path(path).exists():
        raise ValueError(f"{path} must be there, got no such file or folder; check how it is written")
    default = Path(path).with_name(f"{Path(path).stem or 'new'}-adapted")
    work = allowed_work(flags)
    output = destination("--output", Path(flags.get("--output", default)), flags, *RESULTS)
    bound = numbers("--outliers", flags["--outliers"], 1, 3.0)[0] if "--outliers" in flags else None
    settings = {"steps": int(numbers("--steps", flags["--steps"], 1, 1.0)[0])} if "--steps" in flags else {}
    run = RunFolder(Path(folder))
    run.check_trained()
    import torch

    from metastruct.api.along import along
    from metastruct.api.loading import load
    from metastruct.evaluation.figures.along import draw, written
    from metastruct.running.tracking.console import working

    torch.set_num_threads(1)  # as of trainer.threads: more are ruinous where the cores are busy
    with working("reading the run and the new data"):
        model = load(folder, work)
        layout = model.layout
        columns = {name: getattr(layout, name) for name in ("inputs", "units", "member", "trajectory", "time")}
        bound = model.settings.data.get("outliers") if bound is None else bound
        family = model.read(Family.from_files(path, layout.states, **columns)).without_outliers(bound)
    count = f"{len(family)} member{'s' if len(family) > 1 else ''}"
    with working(f"adapting to {count}, then forecasting"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of members that are strange, which the notes below the table name
        members = model.adapt_many(model.observations(family), flags.get("--adaptation"), **settings)
        every = along(members, family)
    make_folder(output)
    with whole(*(output / name for name in RESULTS)):
        saved = members.save(output / f"member{'s' if len(members) > 1 else ''}.safetensors")
        _show(model, members, family)
        written(every, layout, output / "forecast.csv")
        draw(every, layout, output / "forecast.png")
    if model.settings.data.get("hold_out") != "none" and run.finished() is None:
        print(f"{folder} was trained to its end and not measured; its command goes on")
    print(f"{saved}, forecast.csv and forecast.png in {output}")


def _show(model: Model, members: Members, family: Family) -> None:
    """Codes, labels and notes of every member."""
    from metastruct.data.outliers import looked_at
    from metastruct.running.tracking import console

    try:
        probes, note = model.probes, None
    except ValueError as error:
        probes, note = {}, None if model.trained.labels is None else str(error)
    codes, headings = range(members.codes.shape[1]), [f"{name} (R2 {probe.r2:.3f})" for name, probe in probes.items()]
    rows, notes = list[tuple[str, ...]](), [*family.report, *([note] if note else [])]
    for observed, member in zip(family.members, members, strict=True):
        spread = None if member.covariance is None else member.covariance.diagonal() ** 0.5
        code = [f"{v:.4g}" + ("" if spread is None else f" ± {spread[k]:.1g}") for k, v in enumerate(member.code)]
        labels = [f"{value:.4g} ± {std:.1g}" for value, std in member.labels().values()] if probes else []
        rows.append((observed.name, *code, *labels, f"{member.losses[-1]:.3g}"))
        if member.converged is False:
            notes.append(f"{observed.name}: {unfinished(len(member.losses) - 1)}")
        notes += [f"{observed.name}: {flag}" for flag in member.flags]
        if member.flags and (outliers := looked_at(observed)):
            notes.append(f"{observed.name}: {outliers}")
    console.show(("member", *(f"code {k}" for k in codes), *headings, "loss"), rows, family.title)
    console.remark(notes)


def unfinished(steps: int) -> str:
    """What it means that a fit of so many steps did not converge, and what helps."""
    return (
        f"its fit did not reach a minimum in {steps} steps, so the code is rough and its error bars say little; try "
        f"--steps {10 * steps}, and if that changes nothing, longer trajectories"
    )
