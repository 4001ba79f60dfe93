"""A figure of a choice: errors of held-out members over the first setting that varies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from metastruct.evaluation.figures.members import SAFE, TRUE, save, styled

LINES = ("-", "--", ":")


def draw(every: Sequence[tuple[Mapping[str, str], np.ndarray]], path: Path) -> None:
    """A line (of words, points) for each combination of the other settings: geometric means; a small dot a member.

    Args:
        every: settings and errors of members `[members]`.
    """
    name = next(iter(every[0][0]))
    places = list(dict.fromkeys(settings[name] for settings, _ in every))
    numeric = all(_is_number(place) for place in places)
    groups: dict[str, list[tuple[float, np.ndarray]]] = {}
    for settings, errors in every:
        label = " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in settings.items() if key != name)
        x = float(settings[name]) if numeric else float(places.index(settings[name]))
        groups.setdefault(label, []).append((x, errors))
    with styled():
        figure, axis = plt.subplots(figsize=(5.4, 3.6), layout="constrained")
        for number, (label, points) in enumerate(groups.items()):
            points.sort(key=lambda point: point[0])
            colour = f"C{number}" if len(groups) > 1 else TRUE
            line = LINES[number // len(SAFE) % len(LINES)] if numeric else ""  # words have no order
            for x, errors in points:
                axis.plot(np.full(len(errors), x), errors, ".", ms=3, color=colour, alpha=0.4)
            means = [np.exp(np.log(errors).mean()) for _, errors in points]
            axis.plot([x for x, _ in points], means, "o", ls=line, ms=5, color=colour, label=label or None)
        axis.set(yscale="log", xlabel=name, ylabel="forecast error / spread")
        axis.set_title("members held out in turn; large: their geometric mean")
        if numeric:
            axis.set_xticks([float(place) for place in places], places)
        else:
            axis.set_xticks(range(len(places)), places)
        if len(groups) > 1:
            axis.legend(frameon=False, fontsize=7)
        save(figure, path)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
