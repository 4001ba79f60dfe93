"""Known parts of a mechanism: with nets that say nothing the law itself, and the balance of power with nets that do."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from driven import assert_every_parameter_counts, doubled, given, imbalance, scales
from torch import Tensor

from metastruct.config.pieces import factory
from metastruct.data.units import Units
from metastruct.dynamics.dynamics import Scales
from metastruct.dynamics.known.constants import Constants
from metastruct.dynamics.known.known import Known
from metastruct.dynamics.model import ModulatedModel
from metastruct.dynamics.triangular import factor_of
from metastruct.running.assembly import component

GRAVITY = 9.81
M1, M2, L1, L2, B = MU = 1.2, 0.7, 0.5, 0.4, 0.2


class Arm(Known):
    """The two-link arm, with joints whose friction grows with their speed and their angle."""

    def mass(self, q: Tensor) -> Tensor:
        upper, lower = (M1 + M2) * L1**2, M2 * L2**2
        coupling = M2 * L1 * L2 * q[..., 1].cos()
        rows = [[upper + lower + 2 * coupling, lower + coupling], [lower + coupling, lower + 0 * coupling]]
        return torch.stack([torch.stack(row, -1) for row in rows], -2)

    def potential(self, q: Tensor) -> Tensor:
        return -GRAVITY * ((M1 + M2) * L1 * q[..., 0].cos() + M2 * L2 * q.sum(-1).cos())

    def friction(self, q: Tensor, v: Tensor) -> Tensor:
        return torch.diag_embed(B * (1 + q.sin().square() + v.square()))

    def drive(self, q: Tensor) -> Tensor:
        return torch.diag_embed(1 + 0.1 * q.cos())


def made(small, *words: str, inside: Scales | None = None, **settings: object) -> ModulatedModel:
    torch.manual_seed(0)
    cfg = small("system=two_link_arm", *words, net__width=8)
    dynamics = partial(factory(cfg.dynamics), knowledge=Arm, **settings)
    return doubled(ModulatedModel(dynamics, factory(cfg.modulation), factory(cfg.net), inside or scales(4, 2)))


@pytest.mark.few(3)
@pytest.mark.parametrize("mass", ["full", "constant", "diagonal", "known"])
@pytest.mark.parametrize("drive", ["state", "known"])
def test_energy_changes_by_what_friction_takes_and_inputs_give(small, mass, drive):
    model = made(small, mass=mass, friction="rayleigh", drive=drive)
    x, codes, u = given(model, 3, 6, 2)
    assert imbalance(model, model.vector_field(x, codes, u), x, codes, u).max() < 1e-12
    assert_every_parameter_counts(model, x, codes, u)


def test_it_does_not_without_the_coriolis_forces_of_the_known_mass(small, monkeypatch):
    """The control."""
    model = made(small, mass="known", friction="rayleigh", drive="known")
    x, codes, u = given(model, 3, 6, 2)
    monkeypatch.setattr(type(model.dynamics.knowledge), "coriolis", lambda self, y, w: 0 * w)
    assert imbalance(model, model.vector_field(x, codes, u), x, codes, u).max() > 1e-2


def test_with_a_net_that_says_nothing_it_is_the_law_and_its_energy(small, composed, monkeypatch):
    monkeypatch.setattr(Arm, "friction", lambda self, q, v: B * torch.eye(2).to(q))
    monkeypatch.setattr(Arm, "drive", lambda self, q: torch.eye(2).to(q))
    model = made(small, mass="known", friction="known", drive="known")
    for name, weight in model.dynamics.net_of("potential").weights.items():
        weight.data.mul_(0.0 if name == "output" else 1.0)
    law, mu = component(composed("system=two_link_arm").system), np.tile(MU, (3, 1))
    x, codes, u = given(model, 3, 6, 2)
    field = model.vector_field(x, codes, u).detach()
    np.testing.assert_allclose(field, law.driven_field(x.numpy(), mu, u.numpy()), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(model.energy(x, codes).detach(), law.stored_energy(x.numpy(), mu), rtol=1e-11)
    expected = law.powers(x.numpy(), mu, u.numpy())
    for power, other in zip(model.dynamics.powers(x, model.modulation(codes), u), expected, strict=True):
        np.testing.assert_allclose(power.detach(), other, rtol=1e-11, atol=1e-12)
    wrong = law.driven_field(x.numpy(), mu * [1, 1.01, 1, 1, 1], u.numpy())
    assert np.abs(field - wrong).max() > 1e-3, "the oracle sees other masses"


def test_a_training_in_units_of_its_own_knows_the_same(small):
    """Outside and inside of a change of units the field and the energy are the same, and not where it forgets them."""
    spread, time = np.array([2.0, 1.0, 4.0, 2.0]), 0.5  # radians stay, velocities follow
    units = Units(np.array([0.3, -0.2, 0.0, 0.0]), spread, time, np.zeros(2), np.array([3.0, 0.2]))
    there = scales(4, 2)
    words = {"friction": "rayleigh", "drive": "state", "angles": [1]}
    inside = made(small, inside=Scales(**vars(there) | {"units": units}), **words)
    outside, forgetful = (
        made(small, inside=Scales(**vars(one)), **words) for one in (there.outside(units), Scales(**vars(there)))
    )
    x, codes, u = given(inside, 3, 6, 2)
    x_out = torch.from_numpy(units.centre) + torch.from_numpy(spread) * x
    u_out = torch.from_numpy(units.input_spread) * u
    expected = inside.vector_field(x, codes, u) * torch.from_numpy(spread) / time
    torch.testing.assert_close(outside.vector_field(x_out, codes, u_out), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(outside.energy(x_out, codes), inside.energy(x, codes), rtol=1e-9, atol=1e-9)
    assert (forgetful.vector_field(x, codes, u) - inside.vector_field(x, codes, u)).abs().max() > 1e-2


def test_constants_are_springs_weights_and_matrices():
    known = Constants(springs=[[2.0, -1.0], [-1.0, 3.0]], weights=[4.0, 5.0], arms=[[1, 0], [1, 1]], drive=[[1.0], [0]])
    q = torch.tensor([[0.3, -0.8]], dtype=torch.float64)
    springs = 0.5 * (2 * 0.3**2 + 2 * 0.3 * 0.8 + 3 * 0.8**2)
    torch.testing.assert_close(known.potential(q)[0].item(), springs - 4 * np.cos(0.3) - 5 * np.cos(-0.5))
    torch.testing.assert_close(known.slope(q), Known.slope(known, q))
    assert set(known.parts) == {"potential", "drive"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"weights": 3.0, "arms": [[1, 0]]}, r"weights must be finite numbers such as \[2\.0, 1\.0\], got 3\.0"),
        ({"weights": [[3.0]], "arms": [[1, 0]]}, r"weights must be finite numbers such as \[2\.0, 1\.0\]"),
        ({"weights": "34", "arms": [[1, 0]]}, "weights must be finite numbers"),
        ({"weights": [np.inf], "arms": [[1, 0]]}, "weights must be finite numbers"),
        ({"weights": [1.0, 2.0], "arms": [[1, 0]]}, "weights must have as many numbers as known.arms has rows"),
        ({"mass": [[True]]}, "mass must be finite numbers"),
        ({"mass": 2.0}, "mass must be finite numbers"),
        ({"mass": [2.0]}, "mass must be finite numbers"),
        ({"mass": [[1.0], [1.0, 2.0]]}, "mass must be finite numbers"),
        ({"springs": [[1.0, 2.0], [3.0, 1.0]]}, "springs must be a symmetric matrix"),
        ({}, "must hold one of mass"),
    ],
)
def test_what_are_no_constants_is_refused_in_one_line(words, message):
    with pytest.raises(ValueError, match=message) as refused:
        Constants(**words)
    assert "\n" not in str(refused.value)


def test_factors_are_those_of_cholesky():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(5, 4, 4, generator=generator, dtype=torch.float64)
    matrix = root @ root.mT + torch.eye(4)
    torch.testing.assert_close(factor_of(matrix), torch.linalg.cholesky(matrix))


def test_parts_that_make_no_sense_are_refused_in_one_line(small, monkeypatch):
    for part, values, message in (
        ("mass", lambda self, q: torch.eye(3), r"known\.mass must give \[\.\.\., 2, 2\], got the shape \[3, 3\]"),
        ("mass", lambda self, q: -torch.eye(2).to(q), "mass must be symmetric and not negative"),
        ("friction", lambda self, q, v: torch.ones(2, 2).to(q).tril(), "friction must be symmetric"),
        ("potential", lambda self, q: q, "potential must give one number a state"),
        ("drive", lambda self, q: q.new_full((2, 2), torch.nan), "drive must be finite"),
        ("potential", lambda self, q: (q @ torch.eye(3).to(q)).sum(-1), r"potential must take positions \[\.\.\., 2\]"),
        ("friction", lambda self, q, v: q[..., 5], r"friction must take positions \[\.\.\., 2\]"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Arm, part, values)
            with pytest.raises(ValueError, match=message) as refused:
                made(small)
            assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match="friction=none does not go with known parts potential, mass, friction, drive"):
        made(small, friction="none")
