"""Conservation laws hold for whatever weights and codes, and fail for the net without structure."""

from __future__ import annotations

import pytest
import torch
from pairs import crossed

from metastruct.config.schema import groups
from metastruct.dynamics.model import ModulatedModel
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout

TASKS, POINTS = 3, 6
HAMILTONIANS = ("mlp", "separable")


@pytest.fixture(scope="module", params=crossed(groups()["modulation"], "svd", HAMILTONIANS, "mlp"), ids="-".join)
def pair(request) -> tuple[str, str]:
    """A modulation and the net of a Hamiltonian."""
    return request.param


@pytest.fixture(scope="module", params=(2, 4), ids="state{}".format)
def state_dim(request) -> int:
    return request.param


@pytest.fixture(scope="module")
def hamiltonian(small, random_model, pair, state_dim) -> ModulatedModel:
    modulation, net = pair
    cfg = small(f"modulation={modulation}", "dynamics=hamiltonian", f"net={net}", net__width=8, modulation__rank=3)
    return random_model(cfg, state_dim=state_dim, gain=3.0)


@pytest.fixture(scope="module")
def unstructured(small, random_model, pair, state_dim) -> ModulatedModel:
    cfg = small(f"modulation={pair[0]}", "dynamics=unstructured", "net=mlp", net__width=8, modulation__rank=3)
    return random_model(cfg, state_dim=state_dim, gain=3.0)


def states_and_codes(model: ModulatedModel) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(TASKS, POINTS, len(model.dynamics.state_mean), generator=generator, dtype=torch.float64)
    codes = torch.randn(TASKS, model.code_dim, generator=generator, dtype=torch.float64)
    return x, codes * min(1.0, 2 / model.code_dim**0.5)  # a code of many numbers is a change of weights: not too long


def energy_gradient(model: ModulatedModel, x: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(model.energy(x, codes).sum(), x)[0]


def relative_rate(gradient: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
    """|gradient . field| over the product of their lengths."""
    return (gradient * field).sum(-1).abs() / (gradient.norm(dim=-1) * field.norm(dim=-1))


def jacobian(model: ModulatedModel, x: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """d f_i / d x_j `[tasks, points, i, j]`."""
    x = x.clone().requires_grad_()
    field = model.vector_field(x, codes)
    rows = [torch.autograd.grad(component.sum(), x, retain_graph=True)[0] for component in field.unbind(-1)]
    return torch.stack(rows, dim=-2)


def divergence(model: ModulatedModel, x: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Relative to the size of the Jacobian."""
    matrix = jacobian(model, x, codes)
    return matrix.diagonal(dim1=-2, dim2=-1).sum(-1).abs() / torch.linalg.matrix_norm(matrix)


def hessian_asymmetry(model: ModulatedModel, x: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """How far J^T Df is from the symmetry that it has where f = J grad H."""
    dq, dp = jacobian(model, x, codes).chunk(2, dim=-2)
    hessian = torch.cat([-dp, dq], dim=-2)
    return torch.linalg.matrix_norm(hessian - hessian.mT) / torch.linalg.matrix_norm(hessian)


@pytest.mark.few(5)
def test_energy_does_not_change_along_the_learned_field(hamiltonian):
    x, codes = states_and_codes(hamiltonian)
    assert relative_rate(energy_gradient(hamiltonian, x, codes), hamiltonian.vector_field(x, codes)).max() < 1e-12


@pytest.mark.few(4)
def test_the_unstructured_field_does_not_keep_that_energy(hamiltonian, unstructured):
    x, codes = states_and_codes(hamiltonian)
    other = unstructured.vector_field(*states_and_codes(unstructured))
    assert relative_rate(energy_gradient(hamiltonian, x, codes), other).max() > 0.1


@pytest.mark.few(10)
def test_field_is_the_symplectic_gradient_of_the_energy(hamiltonian):
    x, codes = states_and_codes(hamiltonian)
    h = 1e-5
    steps = h * torch.eye(x.shape[-1], dtype=torch.float64)
    with torch.no_grad():
        differences = [(hamiltonian.energy(x + s, codes) - hamiltonian.energy(x - s, codes)) / (2 * h) for s in steps]
    by_q, by_p = torch.stack(differences, dim=-1).chunk(2, dim=-1)
    field = hamiltonian.vector_field(x, codes)
    torch.testing.assert_close(field, torch.cat([by_p, -by_q], dim=-1), rtol=1e-6, atol=1e-8)


@pytest.mark.few(3)
def test_energy_is_constant_along_a_tight_rollout_of_the_learned_flow(hamiltonian):
    x, codes = states_and_codes(hamiltonian)
    with torch.no_grad():
        updates = hamiltonian.modulation(codes)
        times = torch.linspace(0, 1, 3, dtype=torch.float64)
        path = rollout(hamiltonian.dynamics.flow(updates), x, times, RK4(0.005))
        energy = torch.stack([hamiltonian.energy(states, codes) for states in path.unbind(-2)])
    assert (path[..., -1, :] - x).norm(dim=-1).mean() > 0.1
    spread = energy[0].amax() - energy[0].amin()
    assert ((energy - energy[0]).abs().max() / spread) < 1e-7


@pytest.mark.few(9)
def test_learned_flow_keeps_volume_and_the_unstructured_one_does_not(hamiltonian, unstructured):
    x, codes = states_and_codes(hamiltonian)
    assert divergence(hamiltonian, x, codes).max() < 1e-12
    assert divergence(unstructured, *states_and_codes(unstructured)).max() > 0.1


def test_learned_field_has_a_potential_and_the_unstructured_one_has_none(hamiltonian, unstructured):
    x, codes = states_and_codes(hamiltonian)
    assert hessian_asymmetry(hamiltonian, x, codes).max() < 1e-12
    assert hessian_asymmetry(unstructured, *states_and_codes(unstructured)).max() > 0.1


def velocity_change(model: ModulatedModel) -> float:
    """Largest change of dq/dt when q moves and p stays, over its size."""
    x, codes = states_and_codes(model)
    n = x.shape[-1] // 2
    moved = x.clone()
    moved[..., :n] += 0.7
    before, after = (model.vector_field(states, codes)[..., :n] for states in (x, moved))
    return float(((after - before).abs().max() / before.abs().max()).detach())


@pytest.mark.few(2)
def test_only_a_separable_net_has_velocities_that_do_not_depend_on_the_position(small, random_model, any_modulation):
    for net, separates in (("separable", True), ("mlp", False)):
        cfg = small(f"modulation={any_modulation}", f"net={net}", net__width=8, modulation__rank=3)
        change = velocity_change(random_model(cfg, state_dim=4, gain=3.0))
        assert change == 0 if separates else change > 1e-2


@pytest.mark.few(4)
def test_forces_of_a_separable_net_do_not_depend_on_the_momentum(small, random_model, any_modulation):
    model = random_model(small(f"modulation={any_modulation}", "net=separable", modulation__rank=3), state_dim=4)
    x, codes = states_and_codes(model)
    moved = x.clone()
    moved[..., 2:] += 0.7
    assert torch.equal(model.vector_field(x, codes)[..., 2:], model.vector_field(moved, codes)[..., 2:])
