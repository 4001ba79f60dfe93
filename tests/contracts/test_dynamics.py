"""What every dynamics of conf/dynamics promises, with every net that goes with it; a new yaml needs no edit here."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metastruct.config.needs import Piece
from metastruct.config.pieces import class_of, factory, target_of
from metastruct.config.schema import groups
from metastruct.data.observations import Observations
from metastruct.data.units import Units
from metastruct.dynamics.dynamics import Dynamics, Scales
from metastruct.dynamics.model import ModulatedModel, Single
from metastruct.objectives.derivatives import Derivatives
from metastruct.running.assembly import build_model, commensurate

TASKS, POINTS = 3, 5


@pytest.fixture(scope="module")
def cfg(small, arrangement):
    return small(*arrangement.overrides, "modulation=full_weight", net__width=8)


@pytest.fixture(scope="module")
def model(cfg, random_model) -> ModulatedModel:
    return random_model(cfg, gain=3.0)


@pytest.fixture(scope="module")
def data(model) -> tuple[torch.Tensor, torch.Tensor]:
    """States and codes of a few tasks."""
    generator = torch.Generator().manual_seed(1)
    size = len(model.dynamics.state_mean)
    x = torch.randn(TASKS, POINTS, size, generator=generator, dtype=torch.float64)
    return x, torch.randn(TASKS, model.code_dim, generator=generator, dtype=torch.float64)


def test_every_dynamics_and_every_net_can_be_used(every_arrangement):
    assert {a.dynamics for a in every_arrangement} == set(groups()["dynamics"])
    assert {a.net for a in every_arrangement} == set(groups()["net"])
    assert {a.bracket for a in every_arrangement} - {None} == set(groups()["bracket"])


@pytest.mark.parametrize("name", groups()["dynamics"])
def test_a_yaml_provides_what_its_class_has(name):
    piece, kind = Piece.as_described("dynamics", name), class_of(target_of("dynamics", name))
    there = {"energy": kind.conserves, "entropy": kind.dissipates, "inputs": kind.takes_inputs}
    methods = {"degeneracies": "degeneracies", "energy_slopes": "energy_slopes", "balance": "powers"}
    there |= {word: getattr(kind, method) is not getattr(Dynamics, method) for word, method in methods.items()}
    assert {word: piece.provided(word) for word in there} == there


@pytest.mark.few(2)
def test_vector_field_has_the_shape_of_the_states(model, data):
    x, codes = data
    assert model.vector_field(x, codes).shape == x.shape


@pytest.mark.few(3)
def test_vector_field_of_a_task_depends_on_its_code_alone(model, data):
    x, codes = data
    before = model.vector_field(x, codes)
    moved = codes.clone()
    moved[0] += 0.5
    change = (model.vector_field(x, moved) - before).abs().amax((-2, -1))
    assert change[0] > 1e-3
    assert change[1:].max() == 0


@pytest.mark.few(3)
def test_vector_field_in_single_precision_is_the_same_to_six_digits(model, data):
    x, codes = data
    exact, single = model.vector_field(x, codes), Single(model).vector_field(x, codes)
    assert single.dtype == exact.dtype == torch.float64
    error = (single - exact).abs().max() / exact.abs().max()
    assert 1e-12 < error < 1e-5


@pytest.mark.few(7)
def test_vector_field_at_a_point_does_not_depend_on_the_other_points(model, data):
    x, codes = data
    order = torch.randperm(POINTS, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        model.vector_field(x[:, order], codes), model.vector_field(x, codes)[:, order], rtol=1e-12, atol=1e-13
    )


def test_dynamics_that_conserve_or_balance_have_an_energy_and_the_others_say_that_they_have_none(model, data):
    x, codes = data
    if model.dynamics.conserves or balances(model):
        assert model.energy(x, codes).shape == (TASKS, POINTS)
    else:
        with pytest.raises(TypeError, match="use dynamics="):
            model.energy(x, codes)


def test_dynamics_that_dissipate_have_an_entropy_and_the_others_say_that_they_have_none(model, data):
    x, codes = data
    if model.dynamics.dissipates:
        assert model.entropy(x, codes).shape == (TASKS, POINTS)
    else:
        with pytest.raises(TypeError, match="has no entropy; use dynamics="):
            model.entropy(x, codes)


def balances(model: ModulatedModel) -> bool:
    return type(model.dynamics).powers is not Dynamics.powers


def test_energy_changes_by_what_friction_takes_and_the_others_say_that_they_have_no_balance(model, data):
    x, codes = data
    updates = model.modulation(codes)
    if not balances(model):
        with pytest.raises(TypeError, match="has no balance of power; use dynamics="):
            model.dynamics.powers(x, updates)
        return
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.energy(x, codes).sum(), x)
    parts = gradient * model.vector_field(x, codes)
    taken, supplied = model.dynamics.powers(x, updates)
    assert (taken >= 0).all()
    assert (supplied == 0).all()
    assert ((parts.sum(-1) + taken).abs() / (parts.abs().sum(-1) + taken)).max() < 1e-12


def test_identities_that_hold_by_construction_hold(model, data):
    x, codes = data
    for name, residual in model.dynamics.degeneracies(x, model.modulation(codes)).items():
        assert residual.shape == (TASKS, POINTS)
        assert residual.max() < 1e-12, name


def test_energy_that_is_conserved_does_not_change_along_the_field(model, data):
    if not model.dynamics.conserves:
        pytest.skip("conserves nothing")
    x, codes = data
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.energy(x, codes).sum(), x)
    field = model.vector_field(x, codes)
    size = torch.linalg.vector_norm(gradient, dim=-1) * torch.linalg.vector_norm(field, dim=-1)
    assert size.min() > 1e-3
    assert ((gradient * field).sum(-1).abs() / size).max() < 1e-12


def test_a_change_of_units_of_the_data_changes_the_units_of_the_field(cfg, model, data):
    """Constants of the data enter such that the nets see no units."""
    x, codes = data
    spread = np.resize([3.0, 0.2, 7.0, 0.5, 2.0, 0.1], x.shape[-1])
    units = torch.from_numpy(commensurate(cfg)(Units(0 * spread, spread)).spread)
    own = model.dynamics
    scales = Scales(own.state_mean * units, own.state_std * units, own.derivative_std * units)
    other = build_model(cfg, scales).double()
    other.load_state_dict(dict(model.named_parameters()), strict=False)
    torch.testing.assert_close(other.vector_field(x * units, codes), model.vector_field(x, codes) * units)


def test_constants_of_the_data_are_saved_with_the_model(cfg, model, data):
    x, codes = data
    ones = torch.ones(x.shape[-1], dtype=torch.float64)
    other = build_model(cfg, Scales(0 * ones, ones, ones)).double()
    assert not torch.allclose(other.vector_field(x, codes), model.vector_field(x, codes))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.vector_field(x, codes), model.vector_field(x, codes))


def test_derivatives_are_matched_by_the_mean_square_of_the_standardised_residual(model, data):
    x, codes = data
    dxdt = torch.ones_like(x)
    residual = (model.vector_field(x, codes) - dxdt) / model.dynamics.derivative_std
    expected = torch.stack([torch.stack([r @ r for r in task]).mean() for task in residual])
    torch.testing.assert_close(Derivatives().loss(model, Observations(x, dxdt), codes), expected)


def test_every_number_of_the_model_is_counted_once(model):
    counts = model.parameter_counts()
    assert counts["base"] + counts["hypernetwork"] == sum(p.numel() for p in model.parameters())
    assert counts["code"] == model.code_dim


def test_a_component_that_never_moves_is_scaled_by_one():
    states = torch.stack([torch.arange(4.0), torch.full((4,), 2.0)], dim=-1)
    scales = Scales.of(states, 3 * states)
    assert scales.state_mean.tolist() == [1.5, 2.0]
    assert scales.state_std[1] == scales.derivative_std[1] == 1
    torch.testing.assert_close(scales.derivative_std[0], 3 * states[:, 0].std())


def test_hamiltonian_dynamics_refuses_a_state_that_is_not_pairs(small):
    cfg = small("dynamics=hamiltonian", "net=mlp")
    ones = torch.ones(3)
    with pytest.raises(ValueError, match="even size, got 3"):
        factory(cfg.dynamics)(factory(cfg.net), Scales(ones, ones, ones))
