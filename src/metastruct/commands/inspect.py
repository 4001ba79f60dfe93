"""Show what measured trajectories hold: members, instants, gaps, noise level, units, what is wrong, and a picture.

metastruct inspect PATH [states=[q,p]] [inputs=[u]] [labels=[mass]] [units={t: s, q: rad}] [member=..] [trajectory=..]
                        [time=..] [--figure FILE.png]

Words are those of data=files, with or without data. in front; states that are not named are all columns of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from metastruct.data.family import Family
from metastruct.data.tables.layout import inferred
from metastruct.data.tables.malformed import nearest
from metastruct.data.tables.reading import tables

SETTINGS = ("states", "inputs", "labels", "units", "member", "trajectory", "time")


def run(words: Sequence[str]) -> None:
    """Print the tables and draw the picture."""
    if not words or {"-h", "--help"} & {*words}:
        print(__doc__)
        return
    path, figure, settings = parsed(words)
    guessed = not settings.get("states")
    if guessed:
        columns = {name: settings[name] for name in ("member", "trajectory", "time") if name in settings}
        roles = [*settings.get("inputs", []), *settings.get("labels", [])]
        states = [name for name in inferred(tables(path)[0][0], **columns) if name not in roles]
        settings = dict(settings) | {"states": states}
    family = Family.from_files(path, **settings)
    show(family, guessed)
    from metastruct.evaluation.figures.observations import draw

    draw(family, figure)
    print(f"picture in {figure}")


def parsed(words: Sequence[str]) -> tuple[Path, Path, Mapping[str, Any]]:
    """Path, figure and settings of the words.

    Raises:
        ValueError: one of them means nothing.
    """
    rest, settings, figure, paths = [*words], {}, None, list[str]()
    while rest:
        word = rest.pop(0)
        if word.startswith("--figure"):
            figure = word.partition("=")[2] or (rest.pop(0) if rest else "")
            if not figure:
                raise ValueError("--figure needs the name of a PNG file, got none")
        elif word.startswith("-"):
            raise ValueError(f"{word} is not known; there is --figure FILE and --help")
        elif "=" in word and not Path(word).exists():
            key, _, text = word.partition("=")
            name = key.removeprefix("data.")
            if name not in SETTINGS:
                raise ValueError(f"{key} is not a setting of inspect; {nearest(name, [*SETTINGS])}")
            settings[name] = _value(name, text)
        else:
            paths.append(word)
    if len(paths) != 1:
        raise ValueError(f"inspect needs one file or folder, got {' and '.join(paths) or 'none'}")
    path, place = Path(paths[0]), Path(paths[0]).resolve()
    return path, Path(figure or place.parent / f"{place.stem}-inspected.png"), settings


def _value(name: str, text: str) -> Any:
    try:
        value = yaml.safe_load(text.replace(":", ": ") if name == "units" else text)
    except yaml.YAMLError:
        value = None
    kind = {"states": list, "inputs": list, "labels": list, "units": dict}.get(name, str)
    if not isinstance(value, kind):
        example = {list: f"{name}=[q,p]", dict: "units={t: s, q: rad}", str: f"{name}={name}"}[kind]
        raise ValueError(f"{name} must be written as {example}, got {text!r}")
    if isinstance(value, dict):
        return {str(key): str(unit) for key, unit in value.items()}
    return [str(each) for each in value] if isinstance(value, list) else value


def show(family: Family, guessed: bool) -> None:
    """The tables of a family."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from metastruct.data.description import COMPONENTS, MEMBERS, components, members, warnings

    console = Console(highlight=False)
    time = family.layout.unit(family.layout.time)
    headings = [
        f"{name} ({time})" if time and name in ("from", "to", "median dt", "longest dt") else name for name in MEMBERS
    ]
    for title, columns, rows in (
        (repr(family), [*headings, *family.layout.labels], members(family)),
        ("components", COMPONENTS, components(family)),
    ):
        table = Table(title=escape(title), title_justify="left")
        for column in columns:
            table.add_column(escape(column))
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)
    notes = ["states were not named, so all columns of numbers are shown; name them for a training"] if guessed else []
    for line in (*notes, *family.report, *(f"look at this: {line}" for line in warnings(family))):
        console.print(f"- {line}", soft_wrap=True, markup=False)
