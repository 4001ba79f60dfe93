"""A model of some bodies as one of another number of them, from Python."""

from __future__ import annotations

import numpy as np
import pytest

import metastruct
from metastruct.config.schema import composed
from metastruct.data.simulate import integrate
from metastruct.running.assembly import component
from metastruct.running.experiment import run

SMALL = ("net=graph", "modulation=svd", "rank=2", "trainer.steps=60", "net.width=8")
QUIET = ("logger=none", "evaluation.figures=false", "evaluation.metrics=[field_error]", "trainer.accelerator=cpu")
DATA = ("data.train_tasks=6", "data.test_tasks=1")


def chain(oscillators: int):
    return component(composed("system=fput", f"system.oscillators={oscillators}").system)


def seen(oscillators: int, count: int = 20):
    """States of a member of this size, and its derivatives there."""
    law, random = chain(oscillators), np.random.default_rng(0)
    mu = law.sample_parameters(random)
    x = law.sample_starts(random, mu, count)
    return x, law.vector_field(x[None], mu[None])[0]


def columns(oscillators: int) -> list[str]:
    return [f"{letter}{number}" for letter in "qp" for number in range(1, oscillators + 1)]


@pytest.fixture(scope="module")
def lawful(tmp_path_factory):
    words = ("system=fput", "system.oscillators=4", *SMALL, *QUIET, *DATA)
    return metastruct.load(run(composed(*words, f"outputs={tmp_path_factory.mktemp('lawful')}")).path)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    law, random, times = chain(4), np.random.default_rng(0), np.linspace(0, 2, 30)
    members = []
    for mu in (law.sample_parameters(random) for _ in range(4)):
        paths = integrate(law, law.sample_starts(random, mu, 2)[None], mu[None], times, 1e-9)[0]
        members.append([(times, path) for path in paths])
    family = metastruct.Family.from_arrays(members, states=columns(4))
    settings = {"net": "graph", "net.place": False, "net.width": 8, "trainer.accelerator": "cpu"}
    outputs = tmp_path_factory.mktemp("measured")
    return metastruct.fit(family, "hamiltonian", steps=60, settings=settings, outputs=outputs, progress=False)


@pytest.mark.parametrize("origin", ["lawful", "measured"])
@pytest.mark.filterwarnings("ignore")
def test_a_model_of_four_oscillators_adapts_to_seven_and_its_member_leaves_the_house(origin, request, tmp_path):
    model = request.getfixturevalue(origin)
    larger = metastruct.resize(model, **({"oscillators": 7} if origin == "lawful" else {"states": columns(7)}))
    assert (model.state_dim, larger.state_dim, list(larger.layout.states)) == (8, 14, columns(7))
    if origin == "lawful":
        states, slopes = seen(7)
        member = larger.adapt(states, slopes)
        assert np.abs(member.vector_field(states) - slopes).mean() < 0.5 * np.abs(slopes).mean()
    else:
        law, mu, times = chain(7), chain(7).corners()[:1], np.linspace(0, 2, 30)
        states = integrate(law, seen(7, 1)[0][None], mu, times, 1e-9)[0, 0]
        member = larger.adapt(states, times=times)
    member.save(tmp_path / "seven.safetensors")
    again = metastruct.load_member(tmp_path / "seven.safetensors")
    np.testing.assert_array_equal(again.vector_field(states), member.vector_field(states))
    assert np.ptp(member.energy(member.rollout(states[0], np.linspace(0, 1, 5)))) < 1e-4


def test_what_has_no_other_size_is_refused(lawful, measured):
    for settings, message in (
        ({}, "needs settings of the family alone, got"),
        ({"states": ["q"]}, "needs settings of the family alone"),
        ({"sites": 3}, "system=fput has no sites to set; there is oscillators"),
        ({"parameters": 3}, "has no parameters to set"),
        ({"oscillators": 1}, "must be at least 2"),
        ({"oscillators": "many"}, "must be an integer"),
        ({"oscillators": 4}, "needs another size, got that of the model, 8 components"),
        ({"energy": 1.0}, "needs another size"),
    ):
        with pytest.raises(ValueError, match=message):
            metastruct.resize(lawful, **settings)
    with pytest.raises(ValueError, match="needs the columns of their states alone"):
        metastruct.resize(measured, oscillators=7)
    with pytest.raises(ValueError, match="resize needs a Model, got a str"):
        metastruct.resize("outputs/run", oscillators=7)
