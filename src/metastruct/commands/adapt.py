"""Adapt a trained model to new members: codes, error bars, what they mean, a forecast, and a file that keeps them.

metastruct adapt RUN NEW.csv [--output FOLDER] [--adaptation levenberg_marquardt] [force=true]

NEW is a table as the training read it, of one member or of several, without labels. FOLDER, by default NEW-adapted,
takes member.safetensors (of several, members.safetensors), forecast.csv and forecast.png: along each trajectory, from
its first observation. What is there already is replaced by force=true alone.
From Python: metastruct.load(RUN).adapt(...).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metastruct.commands import destination, parsed, whole
from metastruct.data.family import Family
from metastruct.runs.files import make_folder

if TYPE_CHECKING:
    from metastruct.api.members import Members
    from metastruct.api.model import Model

PLACES = ("RUN", "NEW")
RESULTS = ("forecast.csv", "forecast.png", "member.safetensors", "members.safetensors")
FLAGS = {"--output": "FOLDER", "--adaptation": "NAME", "force": "true"}


def main(words: Sequence[str]) -> None:
    """Adapt, print, draw and write."""
    (folder, path), flags = parsed(words, "adapt", FLAGS, PLACES)
    if not Path(folder).is_dir():
        raise ValueError(f"{folder} must be the folder of a finished run, got no folder")
    if not Path(path).exists():
        raise ValueError(f"{path} must be there, got no such file or folder; check how it is written")
    default = Path(path).with_name(f"{Path(path).stem or 'new'}-adapted")
    output = destination("--output", Path(flags.get("--output", default)), flags, *RESULTS)
    import torch

    from metastruct.api.loading import load

    torch.set_num_threads(1)  # as of trainer.threads: more are ruinous where the cores are busy
    model = load(folder)
    layout = model.layout
    columns = {name: getattr(layout, name) for name in ("inputs", "units", "member", "trajectory", "time")}
    family = model.read(Family.from_files(path, layout.states, **columns))
    family = family.without_outliers(model.settings.data.get("outliers"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of members that are strange, which the notes below the table name
        members = model.adapt_many(model.observations(family), flags.get("--adaptation"))
    make_folder(output)
    from metastruct.api.along import along
    from metastruct.evaluation.figures.along import draw, written

    with whole(*(output / name for name in RESULTS)):
        saved = members.save(output / f"member{'s' if len(members) > 1 else ''}.safetensors")
        _show(model, members, family)
        every = along(members, family)
        written(every, layout, output / "forecast.csv")
        draw(every, layout, output / "forecast.png")
    print(f"{saved}, forecast.csv and forecast.png in {output}")


def _show(model: Model, members: Members, family: Family) -> None:
    """Codes, labels and notes of every member."""
    from metastruct.running.tracking import console

    try:
        probes, note = model.probes, None
    except ValueError as error:
        probes, note = {}, str(error)
    codes, headings = range(members.codes.shape[1]), [f"{name} (R2 {probe.r2:.3f})" for name, probe in probes.items()]
    rows, notes = list[tuple[str, ...]](), [*family.report, *([note] if note else [])]
    for name, member in zip((one.name for one in family.members), members, strict=True):
        spread = None if member.covariance is None else member.covariance.diagonal() ** 0.5
        code = [f"{v:.4g}" + ("" if spread is None else f" ± {spread[k]:.1g}") for k, v in enumerate(member.code)]
        labels = [f"{value:.4g} ± {std:.1g}" for value, std in member.labels().values()] if probes else []
        rows.append((name, *code, *labels, f"{member.losses[-1]:.3g}"))
        if member.converged is False:
            notes.append(f"the fit of {name} did not converge; give it more observations")
        notes += [f"{name}: {flag}" for flag in member.flags]
    console.show(("member", *(f"code {k}" for k in codes), *headings, "support loss"), rows, family.title)
    console.remark(notes)
