"""More members for a model that is trained."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_measured import EXAMPLE, SETTINGS

import metastruct


def family(names: list[str], scale: float = 1.0) -> metastruct.Family:
    table = pd.read_csv(EXAMPLE)
    table[["q", "dq"]] *= scale
    frame = table[table.member.isin(names)]
    return metastruct.Family.from_frame(frame, states=["q", "p"], labels=["length"])


NAMES = [f"rod {number}" for number in range(10)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("extended")
    settings = SETTINGS | {"trainer.steps": 200, "trainer.accelerator": "cpu"}
    return metastruct.fit(family(NAMES[:6]), steps=None, settings=settings, outputs=outputs, progress=False)


def test_codes_alone_leave_every_field_as_it_was(model):
    every = family(NAMES)
    same = metastruct.extend(model, every, steps=0)
    before, after = (one.adapt_many(one.observations(every)) for one in (model, same))
    x = np.random.default_rng(0).normal(size=(1, 20, 2))
    np.testing.assert_allclose(after.vector_field(x), before.vector_field(x), rtol=2e-3, atol=2e-3)
    assert len(same.trained.codes) == 10
    assert same.probes["length"].left_out.shape == (10,)


def test_members_that_are_added_are_learned_and_the_model_before_is_kept(model):
    every, x = family(NAMES), np.ones((1, 3, 2))
    kept = model.adapt_many(model.observations(every)).vector_field(x)
    more = metastruct.extend(model, every, steps=40)
    losses = [one.adapt_many(one.observations(family(NAMES[6:]))).losses[:, -1].mean() for one in (model, more)]
    assert losses[1] < losses[0]
    np.testing.assert_array_equal(model.adapt_many(model.observations(every)).vector_field(x), kept)


def test_what_does_not_go_together_is_refused(model):
    other = metastruct.Family.from_arrays([[(np.arange(3.0), np.ones((3, 2)))]], states=["x", "v"])
    with pytest.raises(ValueError, match="extend needs a family of q, p, got one of x, v"):
        metastruct.extend(model, other)
    with pytest.raises(ValueError, match="steps must be an integer of at least 0, got -1"):
        metastruct.extend(model, family(NAMES), steps=-1)
