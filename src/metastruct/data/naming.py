"""Do the names of columns say that sites or bodies are in another order than nets of local terms take them for?"""

from __future__ import annotations

import re
from collections.abc import Sequence


def misplaced(names: Sequence[str], dimension: int = 1) -> str | None:
    """A line where columns such as u1, u10, u2 are not in the order of their numbers, or bodies not of their axes.

    Args:
        names: of the states, with a number of the site or body each; others say nothing.
        dimension: coordinates of a body, beside each other.
    """
    matches = [re.fullmatch(r"(.*?)(\d+)(\D*)", name) for name in names]
    parts = [((one[1], one[3]), int(one[2])) for one in matches if one is not None]
    if len(parts) < len(names):
        return None
    stems = {stem for stem, _ in parts}
    last = dict[tuple[str, str], tuple[int, str]]()
    for (stem, number), second in zip(parts, names, strict=True):
        before, first = last.get(stem, (number, second))
        last[stem] = number, second
        if number < before:
            return (
                f"{second} comes after {first}, and neighbours are those beside each other; sort them by their numbers"
            )
    if len(stems) <= 2 or dimension < 2:  # no axes have names
        return None
    for begin in range(0, len(names), dimension):
        body = slice(begin, begin + dimension)
        if len({stem for stem, _ in parts[body]}) == 1:
            body_names = ", ".join(names[body])
            return f"{body_names} are taken for the coordinates of one body; name those of a body beside each other"
    return None
