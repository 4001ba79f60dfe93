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

if TYPE_CHECKING:
    from torch import Tensor

    from metastruct.dynamics.model import ModulatedModel

FLOATS = ("torch.float32", "torch.float64")


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


def check_numbers(kept: Mapping[str, Any], model: ModulatedModel, kinds: int) -> None:
    """Are these the numbers of this model?

    Args:
        kinds: of residuals of its objective, each of which has a noise.

    Raises:
        Foreign: names those that are not.
    """
    import torch

    expected = model.state_dict()
    if not isinstance(kept["model"], dict) or {*kept["model"]} != {*expected}:
        raise Foreign("does not hold the model that its configuration describes: it has other parts")
    shapes: dict[str, tuple[int | None, ...]] = {name: tuple(part.shape) for name, part in expected.items()}
    parts = kept["model"] | {"codes": kept["codes"]} | ({} if kept["noise"] is None else {"noise": kept["noise"]})
    shapes |= {"codes": (None, model.code_dim), "noise": (kinds,)}
    for name, part in parts.items():
        built = expected.get(name)
        if built is not None and not built.is_floating_point():  # an index, which no training changes
            if not (isinstance(part, torch.Tensor) and part.dtype == built.dtype and torch.equal(part, built)):
                raise Foreign(f"does not hold the model that its configuration describes: {name} is another one")
            continue
        plain = isinstance(part, torch.Tensor) and part.layout == torch.strided and str(part.dtype) in FLOATS
        if not plain or part.ndim != len(shapes[name]) or not part.numel():
            raise Foreign(f"does not hold the model that its configuration describes: {name} is something else")
        if any(length not in (None, there) for length, there in zip(shapes[name], part.shape, strict=True)):
            raise Foreign(
                f"does not hold the model that its configuration describes: {name} must have the shape "
                f"{list(shapes[name])}, got {list(part.shape)}"
            )
        if name == "noise" and (part < 0).any():
            raise Foreign("holds a variance below zero")
        if kept["diverged_at"] is None and not part.isfinite().all():
            raise Foreign(f"holds numbers in {name} that are not finite, and does not say that its training diverged")


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
    given = [part for part in parts.values() if part is not None]
    positive = [units.spread, np.array(units.time), *([] if units.input_spread is None else [units.input_spread])]
    shapes = units.centre.shape == units.spread.shape == (size,) and all(part.ndim == 1 for part in given)
    if (
        not shapes
        or not all(np.isfinite(part).all() for part in given)
        or not all((part > 0).all() for part in positive)
    ):
        raise Foreign("holds units that are no positive numbers")
    return units
