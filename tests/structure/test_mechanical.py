"""Mechanics in (q, v): its balance of power, its equations by another road, and its momenta, for any net and code."""

from __future__ import annotations

import pytest
import torch
from driven import assert_every_parameter_counts, doubled, given, imbalance, scales
from pairs import crossed
from torch import Tensor

from metastruct.config.schema import groups
from metastruct.dynamics.model import ModulatedModel
from metastruct.dynamics.triangular import Triangular, solved, times
from metastruct.running.assembly import build_model

TASKS, POINTS, COORDINATES, INPUTS = 3, 6, 3, 2
SIZES = TASKS, POINTS, INPUTS
SHAPES = {
    "rayleigh": ("mass=full", "friction=rayleigh", "drive=state", "angles=[2,0]"),
    "constant": ("mass=constant", "friction=viscous", "drive=constant", "angles=[]"),
    "diagonal": ("mass=diagonal", "friction=viscous", "drive=state", "angles=[1]"),
    "sums": ("mass=full", "friction=rayleigh", "drive=state", "angles=[2,0]", "angle_sums=true"),
}


def made(small, dynamics: str, modulation: str, shape: str = "rayleigh", inputs: int = INPUTS) -> ModulatedModel:
    torch.manual_seed(0)
    words = [f"dynamics.{word}" for word in SHAPES[shape]] if dynamics == "mechanical" else []
    cfg = small(f"dynamics={dynamics}", f"modulation={modulation}", *words, net__width=8, modulation__rank=3)
    return doubled(build_model(cfg, scales(2 * COORDINATES, inputs)))


@pytest.fixture(scope="module", params=crossed(groups()["modulation"], "svd", [*SHAPES], "rayleigh"), ids="-".join)
def model(request, small) -> ModulatedModel:
    modulation, shape = request.param
    return made(small, "mechanical", modulation, shape)


@pytest.mark.few(4)
def test_energy_changes_by_what_friction_takes_and_inputs_give(model):
    x, codes, u = given(model, *SIZES)
    assert imbalance(model, model.vector_field(x, codes, u), x, codes, u).max() < 1e-12


def test_it_does_not_where_the_slope_of_the_kinetic_energy_counts_twice(small, monkeypatch):
    """The control: Coriolis terms without their factor of one half."""
    model = made(small, "mechanical", "svd")
    x, codes, u = given(model, *SIZES)
    right = Triangular.back  # of the kinetic energy alone
    monkeypatch.setattr(Triangular, "back", lambda *given: 2 * right(*given))
    assert imbalance(model, model.vector_field(x, codes, u), x, codes, u).max() > 1e-2


def test_it_does_not_along_the_unstructured_field(small):
    model, other = (made(small, dynamics, "svd") for dynamics in ("mechanical", "unstructured"))
    x, codes, u = given(model, *SIZES)
    assert imbalance(model, other.vector_field(x, given(other, *SIZES)[1], u), x, codes, u).max() > 0.1


@pytest.mark.few(4)
def test_positions_change_by_the_velocities_themselves(model):
    x, codes, u = given(model, *SIZES)
    assert torch.equal(model.vector_field(x, codes, u)[..., :COORDINATES], x[..., COORDINATES:])


@pytest.mark.few(6)
def test_equations_are_those_of_euler_and_lagrange_by_automatic_differentiation(model):
    """d/dt dL/dv - dL/dq = F with L = 2 T - E and the generalised forces of friction and input from their powers."""
    x, codes, u = given(model, *SIZES)
    dynamics, updates = model.dynamics, model.modulation(codes)
    acceleration = model.vector_field(x, codes, u)[..., COORDINATES:]

    def lagrangian(q: Tensor, v: Tensor) -> Tensor:
        mass = dynamics.mass(torch.cat([q, v], -1), updates)
        kinetic = (v * times(mass, v)).sum(-1) / 2
        return 2 * kinetic - dynamics.energy(torch.cat([q, v], -1), updates)

    q, v = (part.clone().requires_grad_() for part in x.split(COORDINATES, dim=-1))
    slope = torch.autograd.grad(lagrangian(q, v).sum(), q)[0]
    momentum = torch.autograd.grad(lagrangian(q, v).sum(), v, create_graph=True)[0]
    rate = torch.stack(
        [
            sum((row * way).sum(-1) for row, way in zip(torch.autograd.grad(p.sum(), (q, v), retain_graph=True),
                                                        (v, acceleration), strict=True))
            for p in momentum.unbind(-1)
        ], -1,
    )  # fmt: skip
    taken = lambda v: dynamics.powers(torch.cat([q, v], -1), updates, u)[0] / 2  # noqa: E731
    supplied = lambda v: dynamics.powers(torch.cat([q, v], -1), updates, u)[1]  # noqa: E731
    resistance, drive = (torch.autograd.grad(power(v).sum(), v)[0] for power in (taken, supplied))
    torch.testing.assert_close((rate - slope).detach(), drive - resistance, rtol=1e-9, atol=1e-10)


def test_it_is_hamiltons_law_of_the_same_mechanism_in_momenta(small):
    """p = M v: dq/dt = dH/dp and dp/dt = -dH/dq with H = p^T M^-1 p/2 + V, where D = B = 0."""
    torch.manual_seed(0)
    cfg = small("dynamics=mechanical", "dynamics.friction=none", "modulation=svd", net__width=8)
    model = build_model(cfg, scales(2 * COORDINATES, 0)).double()
    x, codes, _ = given(model, *SIZES)
    updates, dynamics = model.modulation(codes), model.dynamics
    assert dynamics.conserves
    v = x[..., COORDINATES:]

    def momentum(q: Tensor, v: Tensor) -> Tensor:
        return times(dynamics.mass(torch.cat([q, v], -1), updates), v)

    def hamiltonian(q: Tensor, p: Tensor) -> Tensor:
        mass = dynamics.mass(torch.cat([q, p], -1), updates)
        velocity = torch.linalg.solve(mass, p)
        return dynamics.energy(torch.cat([q, velocity], -1), updates)

    q = x[..., :COORDINATES].clone().requires_grad_()
    p = momentum(q, v).detach().requires_grad_()
    by_q, by_p = torch.autograd.grad(hamiltonian(q, p).sum(), (q, p))
    field = model.vector_field(x, codes).detach()
    torch.testing.assert_close(by_p, v, rtol=1e-10, atol=1e-11)
    rate = torch.func.jvp(momentum, (q.detach(), v), tuple(field.split(COORDINATES, dim=-1)))[1]
    torch.testing.assert_close(rate.detach(), -by_q, rtol=1e-9, atol=1e-10)
    assert (momentum(q, v) - v).abs().max() > 0.1, "the momentum is no velocity"


@pytest.mark.parametrize("shape", ["rayleigh", "sums"])
def test_an_angle_that_is_wound_up_changes_nothing_and_another_position_does(small, shape):
    model = made(small, "mechanical", "svd", shape)  # the angles are 0 and 2
    x, codes, u = given(model, *SIZES)
    turns = 2 * torch.pi * torch.tensor([3.0, 0.0, -2.0, 0, 0, 0], dtype=torch.float64)
    field = model.vector_field(x, codes, u)
    torch.testing.assert_close(model.vector_field(x + turns, codes, u), field, rtol=1e-9, atol=1e-9)
    other = 2 * torch.pi * torch.eye(6, dtype=torch.float64)[1]
    assert (model.vector_field(x + other, codes, u) - field).abs().max() > 1e-2


@pytest.mark.parametrize("shape", [*SHAPES])
def test_a_model_file_holds_what_its_model_reads(small, shape):
    """The result of a training has all parameters and buffers, and is loaded as it is."""
    model = made(small, "mechanical", "svd", shape)
    content = dict(model.named_parameters()) | dict(model.named_buffers())
    model.load_state_dict(content)
    assert {"dynamics.chart.order", "dynamics.state_std"} <= {*content}


def test_rest_without_input_is_rest_at_the_bottom_whatever_the_means_of_the_data_are(small):
    """Means of velocities and of inputs shift nothing: B u is zero with u, and friction with v."""
    model = made(small, "mechanical", "svd")
    x, codes, u = given(model, *SIZES)
    still = torch.cat([x[..., :COORDINATES], 0 * x[..., COORDINATES:]], -1)
    taken, supplied = model.dynamics.powers(still, model.modulation(codes), u)
    assert (taken == 0).all()
    assert (supplied == 0).all()
    up, down = (model.vector_field(still, codes, sign * u) for sign in (1, -1))
    torch.testing.assert_close((up + down) / 2, model.vector_field(still, codes, 0 * u), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("part", ["mass", "potential", "friction", "drive"])
def test_parts_that_are_shared_have_sites_of_their_own_tag(small, part):
    words = ("dynamics=mechanical", f"dynamics.shared=[{part}]", "modulation=full_weight")
    free, taken = (
        build_model(small(*words, *more), scales(2 * COORDINATES, INPUTS)).modulation
        for more in ((), (f"modulation.tags=[{part}]",))
    )
    assert not any(site.name.startswith(f"{part}.") for site in free.sites)
    assert all(site.name.startswith(f"{part}.") for site in taken.matrix_sites)
    assert taken.matrix_sites


def test_every_parameter_receives_a_gradient(model):
    assert_every_parameter_counts(model, *given(model, *SIZES))


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_factors_and_their_solutions_are_those_of_dense_algebra(size, diagonal):
    generator = torch.Generator().manual_seed(0)
    triangular = Triangular(size, diagonal, definite=True).double()
    numbers, change = torch.randn(2, 4, triangular.entries, generator=generator, dtype=torch.float64)
    left, right = torch.randn(2, 4, size, generator=generator, dtype=torch.float64)
    factor = triangular(numbers)
    assert torch.equal(factor, factor.tril())
    assert (factor.diagonal(dim1=-2, dim2=-1) > 0).all()
    torch.testing.assert_close(solved(factor, right), torch.linalg.solve(factor @ factor.mT, right))
    turning = triangular.square(triangular.along(numbers, change))
    torch.testing.assert_close(turning, torch.func.jvp(triangular, (numbers,), (change,))[1])
    torch.testing.assert_close(triangular.times(triangular.of(numbers), right), times(factor, right))
    torch.testing.assert_close(triangular.transposed(triangular.of(numbers), left), times(factor.mT, left))
    numbers.requires_grad_()
    product = (left * times(triangular(numbers), right)).sum()
    torch.testing.assert_close(triangular.back(numbers, left, right), torch.autograd.grad(product, numbers)[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("dynamics.angles=[3]",), "angles must name coordinates by their numbers, 0 to 2"),
        (("dynamics.angles=[1,1]",), "once each, got"),
        (("dynamics.angles=[1.0]",), "once each, got"),
        (("dynamics.angles=[true]",), "once each, got"),
        (("dynamics.angles=[[1]]",), "once each, got"),
        (("dynamics.shared=[mess]",), r"shared must hold some of potential, mass.*; use \[\]"),
        (("dynamics.shared=[mass,mass]",), r"once each and in this order.*; use \['mass'\]"),
        (("dynamics.shared=[mass,potential]",), r"in this order.*; use \['potential', 'mass'\]"),
        (("dynamics.shared=[[mass]]",), "shared must hold some of potential, mass"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(small, words, message):
    with pytest.raises(ValueError, match=message) as refused:
        build_model(small("dynamics=mechanical", *words), scales(2 * COORDINATES, INPUTS))
    assert "\n" not in str(refused.value)
