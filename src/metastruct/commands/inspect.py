"""Show what measured trajectories hold: members, instants, gaps, noise level, units, what is wrong, and a picture.

metastruct inspect PATH [states=[q,p]] [inputs=[u]] [labels=[mass]] [units={t: s, q: rad}] [member=..] [trajectory=..]
                        [time=..] [--figure FILE.png] [force=true]

Words are those of data=files, with or without data. in front; states that are not named are all columns of numbers.
A FILE.png that is there already is replaced by force=true alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from metastruct.commands import destination, parsed
from metastruct.data.family import Family
from metastruct.data.tables.layout import inferred
from metastruct.data.tables.reading import tables

PLACES = ("PATH",)
SETTINGS = {
    "states": list,
    "inputs": list,
    "labels": list,
    "units": dict,
    "member": str,
    "trajectory": str,
    "time": str,
}
FLAGS = {"states": "[q,p]", "inputs": "[u]", "labels": "[mass]", "units": "{t: s, q: rad}", "member": "member"}
FLAGS |= {"trajectory": "trajectory", "time": "t", "--figure": "picture.png", "force": "true"}


def main(words: Sequence[str]) -> None:
    """Print the tables and draw the picture."""
    path, figure, settings = asked(words)
    guessed = not settings.get("states")
    if guessed:
        columns = {name: settings[name] for name in ("member", "trajectory", "time") if name in settings}
        roles = [*settings.get("inputs", []), *settings.get("labels", [])]
        states = [name for name in inferred(tables(path)[0][0], **columns) if name not in roles]
        settings = dict(settings) | {"states": states}
    family = Family.from_files(path, **settings).without_outliers(None)
    show(family, guessed)
    from metastruct.evaluation.figures.observations import draw

    draw(family, figure)
    print(f"picture in {figure}")


def asked(words: Sequence[str]) -> tuple[Path, Path, Mapping[str, Any]]:
    """Path, figure and settings of the words.

    Raises:
        ValueError: one of them means nothing.
    """
    (path,), values = parsed([word.removeprefix("data.") for word in words], "inspect", FLAGS, PLACES)
    place = Path(os.path.realpath(path))
    figure = place.parent / f"{place.stem}-inspected.png"
    if "--figure" in values:
        figure = destination("--figure", Path(values["--figure"]), values)
    if figure.suffix != ".png":
        raise ValueError(f"--figure must be the name of a picture such as {FLAGS['--figure']}, got {figure}")
    return Path(path), figure, {name: _value(name, text) for name, text in values.items() if name in SETTINGS}


def _value(name: str, text: str) -> Any:
    try:
        value = yaml.safe_load(text.replace(":", ": ") if name == "units" else text)
    except yaml.YAMLError:
        value = None
    words = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else [value]
    if type(value) is not SETTINGS[name] or not words or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{name} must be written as {name}={FLAGS[name]}, got {text!r}")
    return value


def show(family: Family, guessed: bool) -> None:
    """The tables of a family."""
    from metastruct.data.description import COMPONENTS, MEMBERS, components, members, warnings
    from metastruct.running.tracking import console

    time = family.layout.unit(family.layout.time)
    headings = [
        f"{name} ({time})" if time and name in ("from", "to", "median dt", "longest dt") else name for name in MEMBERS
    ]
    console.show([*headings, *family.layout.labels], members(family), family.title)
    console.show(COMPONENTS, components(family), "components")
    notes = ["states were not named, so all columns of numbers are shown; name them for a training"] if guessed else []
    console.remark((*notes, *family.report, *(f"look at this: {line}" for line in warnings(family))))
