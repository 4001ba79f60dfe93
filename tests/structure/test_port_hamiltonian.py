"""Port-Hamiltonian dynamics: its balance of power, and mechanics as its special case under p = M v."""

from __future__ import annotations

import pytest
import torch
from driven import assert_every_parameter_counts, doubled, given, imbalance, scales
from pairs import crossed
from torch import Tensor

from metastruct.config.schema import groups
from metastruct.dynamics.dynamics import Scales
from metastruct.dynamics.mechanical import Mechanical
from metastruct.dynamics.model import ModulatedModel
from metastruct.dynamics.port_hamiltonian import PortHamiltonian
from metastruct.dynamics.triangular import times
from metastruct.nets.mlp import MLP
from metastruct.nets.net import Net
from metastruct.running.assembly import build_model

TASKS, POINTS, SIZE, INPUTS = 3, 5, 4, 2
SIZES = TASKS, POINTS, INPUTS
SHAPES = {
    "state": ("skew=canonical", "friction=state", "drive=state"),
    "constant": ("skew=constant", "friction=constant", "drive=constant"),
}


def made(small, modulation: str, *words: str, inputs: int = INPUTS) -> ModulatedModel:
    torch.manual_seed(0)
    words = tuple(f"dynamics.{word}" for word in words)
    cfg = small("dynamics=port_hamiltonian", f"modulation={modulation}", *words, net__width=8, modulation__rank=3)
    return doubled(build_model(cfg, scales(SIZE, inputs)))


@pytest.fixture(scope="module", params=crossed(groups()["modulation"], "svd", [*SHAPES], "state"), ids="-".join)
def model(request, small) -> ModulatedModel:
    modulation, shape = request.param
    return made(small, modulation, *SHAPES[shape])


@pytest.mark.few(4)
def test_stored_energy_changes_by_what_friction_takes_and_inputs_give(model):
    x, codes, u = given(model, *SIZES)
    assert imbalance(model, model.vector_field(x, codes, u), x, codes, u).max() < 1e-12


def test_it_does_not_where_the_matrix_of_the_energy_is_not_skew(small):
    """The control: a part of J that is symmetric."""
    model = made(small, "svd", *SHAPES["state"])
    x, codes, u = given(model, *SIZES)
    poisson = model.dynamics.poisson
    poisson.add_(0.3 * poisson.abs())
    assert imbalance(model, model.vector_field(x, codes, u), x, codes, u).max() > 1e-2


@pytest.mark.few(4)
def test_the_supply_is_that_of_the_outputs_by_differences_from_outside(model):
    """y = G^T grad H, with G the change of the field with the inputs."""
    x, codes, u = given(model, *SIZES)
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model.energy(x, codes).sum(), x)
    zero = torch.zeros_like(u)
    with torch.no_grad():
        effect = model.vector_field(x, codes, u) - model.vector_field(x, codes, zero)
        _, supplied = model.dynamics.powers(x, model.modulation(codes), u)
    torch.testing.assert_close((gradient * effect).sum(-1), supplied, rtol=1e-10, atol=1e-11)


@pytest.mark.few(5)
def test_every_parameter_receives_a_gradient(model):
    assert_every_parameter_counts(model, *given(model, *SIZES))


def test_it_is_hamiltons_law_where_nothing_is_lost_or_supplied(small):
    model = made(small, "svd", "skew=canonical", "friction=none", inputs=0)
    torch.manual_seed(0)
    cfg = small("dynamics=hamiltonian", "modulation=svd", net__width=8, modulation__rank=3)
    hamiltonian = build_model(cfg, scales(SIZE, 0)).double()
    renamed = {name.replace("storage", "hamiltonian"): values for name, values in model.named_parameters()}
    missing = hamiltonian.load_state_dict(renamed, strict=False).missing_keys
    assert not {*missing} & {name for name, _ in hamiltonian.named_parameters()}
    x, codes, _ = given(model, *SIZES)
    assert model.dynamics.conserves
    torch.testing.assert_close(model.vector_field(x, codes), hamiltonian.vector_field(x, codes), rtol=1e-12, atol=1e-13)


class Formula(Net):
    """A net that is a function of the states."""

    sites = []  # type: ignore[assignment]

    def __init__(self, function):
        super().__init__(SIZE, 1, False)
        self.function = function

    def forward(self, x, updates):
        return self.function(x)


@pytest.mark.parametrize("damped", [True, False], ids=["friction", "half_of_it"])
def test_it_is_mechanics_under_p_is_mass_times_v(damped):
    """The energy, friction and input of a mechanism with random nets as H, R and G in momenta; not with half of R."""
    torch.manual_seed(0)
    n = SIZE // 2
    mechanism = Mechanical(
        lambda *sizes: MLP(*sizes, width=8), scales(SIZE, INPUTS), "full", "rayleigh", "state", [1]
    ).double()
    x, u = states_and_inputs()
    mean = torch.zeros(SIZE, dtype=torch.float64)
    unit = Scales(mean, mean + 1, mean + 1, input_mean=mean[:INPUTS], input_std=mean[:INPUTS] + 1)

    def velocities(y: Tensor) -> Tensor:
        q, p = y.split(n, dim=-1)
        return torch.cat([q, torch.linalg.solve(mechanism.mass(y, {}), p)], -1)

    def resistance(y: Tensor) -> Tensor:
        """N = (0, N_D), N_D N_D^T = D, from the power that friction takes from single velocities and pairs of them."""
        power = lambda v: mechanism.powers(torch.cat([y[..., :n], v.expand_as(y[..., :n])], -1), {}, u)[0]  # noqa: E731
        axes = torch.eye(n, dtype=torch.float64)
        pairs = [[(power(a + b) - power(a - b)) / 4 for b in axes] for a in axes]
        block = torch.linalg.cholesky(torch.stack([torch.stack(row, -1) for row in pairs], -2))
        whole = torch.nn.functional.pad(block * (1 if damped else 0.5**0.5), (n, 0, n, 0))
        rows, columns = torch.tril_indices(SIZE, SIZE, -1)
        return torch.cat([whole.diagonal(dim1=-2, dim2=-1), whole[..., rows, columns]], -1)

    def drive(y: Tensor) -> Tensor:
        still = torch.cat([y[..., :n], 0 * y[..., n:]], -1)
        unit_inputs = torch.eye(INPUTS, dtype=torch.float64)
        rest = mechanism.vector_field(still, {}, 0 * u)
        forces = [mechanism.vector_field(still, {}, one.expand_as(u)) - rest for one in unit_inputs]
        accelerations = torch.stack(forces, -1)[..., n:, :]
        return torch.cat([0 * accelerations, mechanism.mass(y, {}) @ accelerations], -2).flatten(-2)

    nets = iter(
        [Formula(lambda y: mechanism.energy(velocities(y), {})[..., None]), Formula(resistance), Formula(drive)]
    )
    port = PortHamiltonian(lambda *sizes: next(nets), unit, "canonical", "state", "state").double()

    def momentum(q: Tensor, v: Tensor) -> Tensor:
        return times(mechanism.mass(torch.cat([q, v], -1), {}), v)

    q, v = x.split(n, dim=-1)
    field = mechanism.vector_field(x, {}, u)
    rate = torch.func.jvp(momentum, (q, v), tuple(field.split(n, dim=-1)))[1]
    expected = torch.cat([v, rate], -1).detach()
    learned = port.vector_field(torch.cat([q, momentum(q, v)], -1).detach(), {}, u).detach()
    error = (learned - expected).abs().max() / expected.abs().max()
    assert error < 1e-9 if damped else error > 1e-2


def states_and_inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, POINTS, SIZE, generator=generator, dtype=torch.float64)
    return x, torch.randn(1, POINTS, INPUTS, generator=generator, dtype=torch.float64)


def test_a_canonical_matrix_for_states_that_are_not_pairs_is_refused_in_one_line(small):
    ones = torch.ones(3)
    with pytest.raises(ValueError, match=r"even size, got 3; use dynamics\.skew=constant") as refused:
        build_model(small("dynamics=port_hamiltonian"), Scales(ones, ones, ones))
    assert "\n" not in str(refused.value)
