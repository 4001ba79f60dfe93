"""More members for a model that is trained: codes first, then all, without starting again.

The weights stay where they are while every member's code is fitted, old and new alike; then weights and codes go on
together. The constants that standardise states stay as well, or the weights would mean something else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from metastruct.api.model import Model
from metastruct.config.facts import providing
from metastruct.data.family import Family
from metastruct.data.outside import shortly
from metastruct.data.recordings import Recordings
from metastruct.data.units import Units
from metastruct.running.assembly import build_learner, commensurate
from metastruct.running.trained import Trained

STEPS = 60


def extend(model: Model, family: Family, steps: int = STEPS) -> Model:
    """The model, trained on with all members of a family; the one that is given does not change.

    Args:
        family: all members to train on: give the old ones as well, or they are forgotten.
        steps: outer steps of weights and codes together; 0 fits codes alone.

    Raises:
        ValueError: the family does not have the columns of the model, the model has no codes of training members, or
            the training diverged.
    """
    if not isinstance(model, Model) or not isinstance(family, Family):
        kinds = f"a {type(model).__name__} and a {type(family).__name__}"
        raise ValueError(
            f"extend needs a Model and a Family, got {kinds}; metastruct.fit and Family.from_frame make them"
        )
    columns = model.layout
    if family.layout.states != columns.states or family.layout.inputs != columns.inputs:
        expected, columns_there = (", ".join((*layout.states, *layout.inputs)) for layout in (columns, family.layout))
        raise ValueError(f"extend needs a family of {expected}, got one of {columns_there}")
    if not (isinstance(steps, int) and steps >= 0):
        raise ValueError(f"steps must be an integer of at least 0, got {shortly(steps)}")
    family, before, config = model.read(family), model.trained, model.run.config
    codes = torch.from_numpy(model.adapt_many(model.observations(family)).codes)
    again = {"warm_start": 0.0} if "warm_start" in config.optimizer else {}  # it is at the end that we go on
    config = replace(config, optimizer={**config.optimizer, **again}, trainer=replace(config.trainer, steps=steps))
    recordings = Recordings(family.members, torch.float32, lawful=False, held=model.held_inputs)
    inside, units = recordings.in_units(commensurate(config))
    scales = before.model.dynamics.scales
    learner = build_learner(config, inside, replace(scales.outside(inverse(units)), time=scales.time / units.time))
    learner.float()
    if not isinstance(learner.codes, torch.nn.Parameter) or learner.codes.shape != codes.shape:
        raise ValueError(
            f"extend needs a code of each training member; train with {providing('learner', 'codes', 'of tasks')}"
        )
    constants = {f"dynamics.{name}": part for name, part in learner.model.dynamics.named_buffers()}
    learner.model.load_state_dict(before.model.state_dict() | constants)
    with torch.no_grad():
        learner.codes.copy_(codes)
    learner.units = units
    learner.complete()
    (result,) = learner.results()
    if result["diverged_at"] is not None:
        raise ValueError(f"the training diverged at outer step {result['diverged_at']}; give it fewer steps")
    return Model(model.settings, Trained.made(config, result | {"labels": _labels(family)}))


def inverse(units: Units) -> Units:
    """What undoes these units."""
    driving = None if units.input_spread is None else 1 / units.input_spread
    centre = None if units.input_centre is None or driving is None else -units.input_centre * driving
    return Units(-units.centre / units.spread, 1 / units.spread, 1 / units.time, centre, driving)


def _labels(family: Family) -> dict[str, object] | None:
    names = family.layout.labels
    values = [member.parameters for member in family.members if member.parameters is not None]
    if not names or len(values) < len(family):
        return None
    return {"names": [*names], "values": torch.from_numpy(np.stack(values))}
