"""The model file of a training: it says of which training it is, and is read as what a stranger may have written.

A file whose sum is right may hold anything. Only tensors and plain values are read of it, and they must have the names,
the shapes and the kinds of numbers that the configuration beside it asks for.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metastruct.data.units import Units
from metastruct.runs.arrays import unpacks_to

if TYPE_CHECKING:
    from torch import Tensor

    from metastruct.dynamics.model import ModulatedModel

FLOATS = ("torch.float32", "torch.float64")
MOST_CHOSEN = 1e6  # samples that an objective looks at together


class Foreign(ValueError):
    """A model file is not what the training that is asked for left."""


def contents(content: bytes, training: str) -> dict[str, Any]:
    """What the bytes of a model file hold; nothing in them is executed.

    Args:
        training: the name of its training folder, which holds its key.

    Raises:
        Foreign: they hold something else, or the model of another training.
    """
    import torch

    if not 0 < unpacks_to(content) <= len(content):  # torch packs nothing, and a small file that is large is a trap
        raise Foreign("holds no model")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats that are none of ours
            kept = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except Exception:  # whatever torch makes of the bytes of a stranger
        raise Foreign("holds no model") from None
    if not isinstance(kept, dict) or not {"model", "codes", "noise", "seconds", "history", "diverged_at"} <= {*kept}:
        raise Foreign("holds no model")
    if kept.get("training") != training:
        raise Foreign(f"is not of the training {training}, it says {str(kept.get('training'))[:80]!r}")
    return kept


@dataclass(frozen=True)
class Labels:
    """What people wrote down of the training members: for probes of what codes mean, never for a model.

    Args:
        names: of the labels.
        values: `[members, labels]`, NaN where one is not known.
    """

    names: tuple[str, ...]
    values: Tensor


def labelled(content: bytes, names: Sequence[str], values: np.ndarray) -> bytes:
    """A model file with labels of its training members `[members, labels]`."""
    import torch

    kept = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    kept["labels"] = {"names": [*names], "values": torch.as_tensor(values, dtype=torch.float64)}
    buffer = io.BytesIO()
    torch.save(kept, buffer)
    return buffer.getvalue()


def labels_of(kept: Any) -> Labels | None:
    """The labels that a model file holds, None where there are none.

    Raises:
        Foreign: they are no table of numbers with names.
    """
    import torch

    if kept is None:
        return None
    names, values = [kept.get(name) if isinstance(kept, dict) else None for name in ("names", "values")]
    if isinstance(names, list) and isinstance(values, torch.Tensor) and values.layout == torch.strided:
        named = 0 < len(names) == len({*map(str, names)}) and all(isinstance(name, str) for name in names)
        if named and values.dtype == torch.float64 and values.shape[1:] == (len(names),) and not values.isinf().any():
            return Labels(tuple(names), values)
    raise Foreign("holds something else in the place of the labels of its members")


def check_numbers(kept: Mapping[str, Any], model: ModulatedModel, kinds: int, codes: int | None = None) -> None:
    """Are these the numbers of this model?

    Args:
        kinds: of residuals of its objective, each of which has a noise.
        codes: how many there must be, where the configuration tells.

    Raises:
        Foreign: names those that are not.
    """
    import torch

    _check_account(kept)
    expected = model.state_dict()
    if not isinstance(kept["model"], dict) or {*kept["model"]} != {*expected}:
        raise Foreign("does not hold the model that its configuration describes: it has other parts")
    shapes: dict[str, tuple[int | None, ...]] = {name: tuple(part.shape) for name, part in expected.items()}
    parts = kept["model"] | {"codes": kept["codes"]} | ({} if kept["noise"] is None else {"noise": kept["noise"]})
    shapes |= {"codes": (codes, model.code_dim), "noise": (kinds,)}
    for name, part in parts.items():
        built = expected.get(name)
        if built is not None and not built.is_floating_point():  # an index, which no training changes
            if not (isinstance(part, torch.Tensor) and part.dtype == built.dtype and torch.equal(part, built)):
                raise Foreign(f"does not hold the model that its configuration describes: {name} is another one")
            continue
        if not _is_plain(part) or part.ndim != len(shapes[name]) or not part.numel():
            raise Foreign(f"does not hold the model that its configuration describes: {name} is something else")
        if any(length not in (None, there) for length, there in zip(shapes[name], part.shape, strict=True)):
            raise Foreign(
                f"does not hold the model that its configuration describes: {name} must have the shape "
                f"{list(shapes[name])}, got {list(part.shape)}"
            )
        if name == "noise" and (part < 0).any():
            raise Foreign("holds a variance below zero")
        if name.startswith("dynamics.") and name.endswith("_std") and not (part > 0).all():
            raise Foreign(f"holds a scale {name} that is not above zero")
        if kept["diverged_at"] is None and not part.isfinite().all():
            raise Foreign(f"holds numbers in {name} that are not finite, and does not say that its training diverged")


def _is_plain(part: Any) -> bool:
    """Is it a tensor of floats whose every number is there? A view may repeat one number without end."""
    import torch

    strided = isinstance(part, torch.Tensor) and part.layout == torch.strided and part.device.type == "cpu"
    return strided and str(part.dtype) in FLOATS and _is_whole(part)


def _is_whole(part: Tensor) -> bool:
    return part.numel() * part.element_size() <= part.untyped_storage().nbytes()


def _check_account(kept: Mapping[str, Any]) -> None:
    """Are the seconds, the losses and the end of the training numbers of their kinds?

    Raises:
        Foreign: names those that are not.
    """
    seconds, history, end = kept["seconds"], kept["history"], kept["diverged_at"]
    if type(seconds) not in (int, float) or not 0 <= seconds < 2**63:
        raise Foreign("holds seconds of a training that are no number of 0 or more")
    if end is not None and not _is_step(end):
        raise Foreign("holds an end of its training that is no step")
    numbers = kept.get("objective", {})
    if not isinstance(numbers, dict) or not all(map(_is_choice, numbers.items())):
        raise Foreign("holds choices of its objective that are no numbers of a name each")
    if not isinstance(history, list) or not all(map(_is_entry, history)):
        raise Foreign("holds a history that is no list of steps and losses")


def _is_step(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_choice(pair: tuple[Any, Any]) -> bool:
    """A name and a number that an objective may have chosen, of samples for example?"""
    return isinstance(pair[0], str) and type(pair[1]) in (int, float) and 0 <= pair[1] <= MOST_CHOSEN


def _is_entry(row: Any) -> bool:
    """A step and its loss?"""
    return isinstance(row, list | tuple) and len(row) == 2 and _is_step(row[0]) and type(row[1]) is float


def units_of(kept: Any, size: int) -> Units:
    """The units in which a model was trained.

    Args:
        size: of the state.

    Raises:
        Foreign: they are no units of such a state.
    """
    try:
        values = {name: kept[name] for name in ("centre", "spread", "input_centre", "input_spread")}
        parts = {name: None if value is None else np.asarray(value, dtype=np.float64) for name, value in values.items()}
        units = Units(**parts, time=float(kept["time"]))  # type: ignore[arg-type]
    except (TypeError, ValueError, KeyError, OverflowError):
        raise Foreign("holds something else in the place of its units") from None
    arrays = [part for part in parts.values() if part is not None]
    positive = [units.spread, np.array(units.time), *([] if units.input_spread is None else [units.input_spread])]
    shapes = units.centre.shape == units.spread.shape == (size,) and all(part.ndim == 1 for part in arrays)
    if (
        not shapes
        or not all(np.isfinite(part).all() for part in arrays)
        or not all((part > 0).all() for part in positive)
    ):
        raise Foreign("holds units that are no positive numbers")
    return units
