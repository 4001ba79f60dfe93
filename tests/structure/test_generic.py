"""The two laws of thermodynamics hold for whatever weights and codes, and fail without the structure."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metastruct.config.pieces import factory
from metastruct.config.schema import groups
from metastruct.dynamics.brackets import nms
from metastruct.dynamics.brackets.gnode import GNODE
from metastruct.dynamics.brackets.nms import NMS
from metastruct.dynamics.dynamics import Scales
from metastruct.dynamics.generic import Generic
from metastruct.dynamics.model import ModulatedModel
from metastruct.integrators.rk4 import RK4
from metastruct.integrators.rollout import rollout
from metastruct.nets.net import Net
from metastruct.running.assembly import build_model, component

TASKS, POINTS = 3, 6
EVERY_TAG = ["input", "hidden", "output", "bracket"]
Law = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module", params=groups()["modulation"])
def modulation(request) -> str:
    return request.param


@pytest.fixture(scope="module", params=(3, 4, 7), ids="state{}".format)
def state_dim(request) -> int:
    return request.param


@pytest.fixture(scope="module", params=("shared", "modulated"))
def tags(request) -> list[str]:
    return ["hidden"] if request.param == "shared" else EVERY_TAG


@pytest.fixture(scope="module", params=groups()["bracket"])
def model(request, small, random_model, modulation, state_dim, tags) -> ModulatedModel:
    words = ("system=damped_oscillator", f"bracket={request.param}", f"modulation={modulation}")
    settings = {} if modulation == "shift" else {"modulation__tags": tags}
    return random_model(small(*words, net__width=8, modulation__rank=3, **settings), state_dim=state_dim, gain=2.0)


@pytest.fixture(scope="module")
def generic(request, small, random_model):
    """Makes a model with a bracket, four components and settings of the command line."""

    def made(*words: str, **settings) -> ModulatedModel:
        return random_model(small("system=damped_oscillator", *words, net__width=8, **settings), state_dim=4, gain=2.0)

    return made


def states_and_codes(model: ModulatedModel, points: int = POINTS) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(TASKS, points, len(model.dynamics.state_mean), generator=generator, dtype=torch.float64)
    return x, torch.randn(TASKS, model.code_dim, generator=generator, dtype=torch.float64)


def gradients(model: ModulatedModel, x: torch.Tensor, codes: torch.Tensor) -> Law:
    """Of E and S, by autograd through their values and in the system's own coordinates."""
    x = x.clone().requires_grad_()
    laws = (model.energy(x, codes), model.entropy(x, codes))
    by_energy, by_entropy = (torch.autograd.grad(law.sum(), x)[0] for law in laws)
    return by_energy, by_entropy


def matrices(model: ModulatedModel, x: torch.Tensor, codes: torch.Tensor) -> Law:
    with torch.no_grad():
        updates = model.modulation(codes)
        return model.dynamics.poisson(x, updates), model.dynamics.friction(x, updates)


def times(matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    return (matrix @ vector[..., None]).squeeze(-1)


def residual(matrix: torch.Tensor, vector: torch.Tensor) -> float:
    """|matrix vector| over the product of their sizes, the largest."""
    size = torch.linalg.matrix_norm(matrix) * vector.norm(dim=-1)
    return float((times(matrix, vector).norm(dim=-1) / size).max())


def rate(gradient: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
    """gradient . field over the product of their lengths."""
    return (gradient * field).sum(-1) / (gradient.norm(dim=-1) * field.norm(dim=-1))


@pytest.mark.few(12)
def test_both_degeneracies_hold(model):
    x, codes = states_and_codes(model)
    by_energy, by_entropy = gradients(model, x, codes)
    poisson, friction = matrices(model, x, codes)
    assert residual(poisson, by_entropy) < 1e-12
    assert residual(friction, by_energy) < 1e-12
    assert residual(poisson, by_energy) > 1e-2
    assert residual(friction, by_entropy) > 1e-2


@pytest.mark.few(10)
def test_poisson_is_skew_and_friction_is_symmetric_and_nowhere_negative(model):
    poisson, friction = matrices(model, *states_and_codes(model))
    size = torch.linalg.matrix_norm(friction).max()
    torch.testing.assert_close(poisson, -poisson.mT, rtol=0, atol=1e-14 * float(poisson.abs().max()))
    torch.testing.assert_close(friction, friction.mT, rtol=0, atol=1e-14 * float(size))
    assert torch.linalg.eigvalsh(friction).min() > -1e-14 * size


@pytest.mark.few(14)
def test_field_is_poisson_times_energy_gradient_plus_friction_times_entropy_gradient(model):
    x, codes = states_and_codes(model)
    by_energy, by_entropy = gradients(model, x, codes)
    poisson, friction = matrices(model, x, codes)
    field = model.vector_field(x, codes)
    torch.testing.assert_close(times(poisson, by_energy) + times(friction, by_entropy), field, rtol=1e-11, atol=1e-12)


@pytest.mark.few(14)
def test_energy_does_not_change_and_entropy_does_not_fall_along_the_learned_field(model):
    x, codes = states_and_codes(model)
    by_energy, by_entropy = gradients(model, x, codes)
    field = model.vector_field(x, codes)
    assert rate(by_energy, field).abs().max() < 1e-12
    assert rate(by_entropy, field).min() > -1e-14
    assert rate(by_entropy, field).max() > 1e-4


@pytest.mark.few(4)
def test_the_unstructured_field_keeps_neither_law(model, small, random_model, modulation):
    x, codes = states_and_codes(model)
    cfg = small("dynamics=unstructured", "system=damped_oscillator", f"modulation={modulation}", net__width=8)
    by_energy, by_entropy = gradients(model, x, codes)
    plain = [random_model(cfg, seed, x.shape[-1], gain=3.0) for seed in range(4)]
    fields = [model.vector_field(x, states_and_codes(model)[1]) for model in plain]
    assert all(rate(by_energy, field).abs().max() > 1e-2 for field in fields)
    assert min(rate(by_entropy, field).min() for field in fields) < -0.1


def test_energy_is_constant_and_entropy_rises_along_a_tight_rollout(generic, any_bracket):
    model = generic(f"bracket={any_bracket}")
    x, codes = states_and_codes(model)
    with torch.no_grad():
        updates = model.modulation(codes)
        horizon = 2 / float(model.vector_field(x, codes).norm(dim=-1).max())
        instants = torch.linspace(0, horizon, 6, dtype=torch.float64)
        path = rollout(model.dynamics.flow(updates), x, instants, RK4(horizon / 200))
        energy, entropy = (
            torch.stack([law(states, codes) for states in path.unbind(-2)]) for law in (model.energy, model.entropy)
        )
    spread = energy[0].amax() - energy[0].amin()
    assert (path[..., -1, :] - x).norm(dim=-1).mean() > 0.1
    assert ((energy - energy[0]).abs().max() / spread) < 1e-7
    assert entropy.diff(dim=0).min() > -1e-9 * spread
    assert (entropy[-1] - entropy[0]).max() > 1e-3


@pytest.mark.parametrize("epsilon", [1e-6, 1e-8])
def test_an_epsilon_in_the_projection_breaks_the_degeneracies_to_its_size(generic, monkeypatch, epsilon):
    model = generic("bracket=nms")
    x, codes = states_and_codes(model)

    def damped(a, v):
        return a - v * ((a * v).sum(-1, keepdim=True) / ((v * v).sum(-1, keepdim=True) + epsilon))

    monkeypatch.setattr(nms, "projected", damped)
    by_energy, by_entropy = gradients(model, x, codes)
    poisson, friction = matrices(model, x, codes)
    for broken in (residual(poisson, by_entropy), residual(friction, by_energy)):
        assert 1e-3 * epsilon < broken < 1e3 * epsilon


@pytest.mark.parametrize("size", [3, 4, 6])
def test_poisson_of_gnode_is_the_totally_antisymmetric_tensor_times_the_entropy_gradient(size):
    torch.manual_seed(0)
    bracket = GNODE(None, size, 2, 0.3).double()
    full = torch.zeros(size, size, size, dtype=torch.float64)
    triples = [(a, b, c) for a in range(size) for b in range(a + 1, size) for c in range(b + 1, size)]
    for value, (a, b, c) in zip(bracket.xi[:, 0].detach(), triples, strict=True):
        for i, j, k in ((a, b, c), (b, c, a), (c, a, b)):
            full[i, j, k], full[j, i, k] = value, -value
    v = torch.randn(2, 5, size, dtype=torch.float64)
    torch.testing.assert_close(bracket.poisson(v, v, {}), torch.einsum("abc,tpc->tpab", full, v))


def test_friction_of_gnode_is_that_of_its_skew_tensors():
    torch.manual_seed(0)
    bracket = GNODE(None, 4, 3, 0.3).double()
    skew = torch.zeros(3, 4, 4, dtype=torch.float64)
    first, second = bracket.pairs
    skew[:, first, second] = bracket.skew.detach()
    skew = skew - skew.mT
    v = torch.einsum("mab,tpb->tpam", skew, gradient := torch.randn(2, 5, 4, dtype=torch.float64))
    expected = v @ bracket.weight @ bracket.weight.mT @ v.mT
    torch.testing.assert_close(bracket.friction(gradient, gradient, {}), expected)


def test_larger_energy_and_smaller_entropy_scale_friction_alone(generic):
    """E -> b E, S -> S/b: modulated potentials reach any common factor of friction with brackets that are shared."""
    model, b = generic("bracket=gnode"), 3.0
    x, codes = states_and_codes(model)
    (poisson, friction), (by_energy, by_entropy) = matrices(model, x, codes), gradients(model, x, codes)
    with torch.no_grad():
        for name, factor in (("energy", b), ("entropy", 1 / b)):
            model.dynamics.nets[name].weights["output"].mul_(factor)
            model.dynamics.slopes[name].mul_(factor)
    scaled = gradients(model, x, codes)
    torch.testing.assert_close(scaled[0], b * by_energy)
    other = matrices(model, x, codes)
    torch.testing.assert_close(times(other[0], scaled[0]), times(poisson, by_energy))
    torch.testing.assert_close(times(other[1], scaled[1]), b * times(friction, by_entropy))


def test_brackets_are_shared_by_all_tasks_unless_the_modulation_takes_their_tag(generic, any_bracket):
    for tags, shared in ((["hidden"], True), (["hidden", "bracket"], False)):
        model = generic(f"bracket={any_bracket}", "modulation=full_weight", modulation__tags=tags)
        x, codes = states_and_codes(model)
        y, updates = model.dynamics.standardise(x[:1].expand_as(x)), model.modulation(codes)
        own = {name.removeprefix("bracket."): update for name, update in updates.items() if "bracket." in name}
        gradient = torch.ones_like(y)
        for matrix in (model.dynamics.bracket.poisson, model.dynamics.bracket.friction):
            made = matrix(y, gradient, own).expand(TASKS, -1, -1, -1)
            assert torch.allclose(made[0], made[1]) == shared


@pytest.mark.parametrize(("bracket", "along"), [("gnode", 0.5**0.5), ("nms", 1.0)])
def test_entropy_starts_along_the_mean_derivative_of_the_data_and_energy_as_near_to_it_as_the_bracket_can(
    small, bracket, along
):
    cfg = small("system=damped_oscillator", f"bracket={bracket}")
    for drift, first in ((torch.tensor([0.0, 0.1, 0.4]), 2), (torch.tensor([-0.5, 0.1, 0.0]), 0)):
        ones = torch.ones(3)
        model = build_model(cfg, Scales(0 * ones, ones, ones, drift))
        slope = model.dynamics.slopes["entropy"].detach()
        assert slope @ drift > 0.99 * drift.norm()
        assert slope.abs().argmax() == first
        energy = model.dynamics.slopes["energy"].detach()
        torch.testing.assert_close(torch.stack([slope.norm(), energy.norm()]), torch.ones(2))
        assert energy @ slope == pytest.approx(along, abs=1e-6)


@pytest.mark.parametrize("size", [3, 4, 5])
def test_both_brackets_start_with_the_poisson_matrix_that_turns_as_the_data_do(small, any_bracket, size):
    torch.manual_seed(size)
    turn = torch.randn(size, size)
    turn[-1] = turn[:, -1] = 0.0  # the last component is the entropy
    turn = turn - turn.mT
    spread, rates = torch.rand(2, size) + 0.5
    linear = spread[:, None] * turn / spread - 0.3 * torch.eye(size)  # in other units, and with friction
    scales = Scales(torch.zeros(size), spread, spread * rates.mean(), torch.eye(size)[-1], linear)
    dynamics = build_model(small("system=damped_oscillator", f"bracket={any_bracket}"), scales).dynamics
    slope = dynamics.slopes["entropy"].detach()
    poisson = dynamics.bracket.poisson(torch.zeros(1, 1, size), slope[None, None], {})[0, 0]
    alike = (poisson * turn).sum() / (poisson.norm() * turn.norm())
    assert alike > 0.97
    assert poisson.abs().max() > 0.5


def test_scales_of_data_hold_the_mean_derivative_and_the_nearest_linear_law():
    states = torch.randn(3, 40, 2, dtype=torch.float64)
    law = torch.tensor([[-0.2, 1.0], [-3.0, 0.1]], dtype=torch.float64)
    derivatives = states @ law.mT + torch.tensor([0.5, -2.0], dtype=torch.float64)
    scales = Scales.of(states, derivatives)
    torch.testing.assert_close(scales.drift, derivatives.mean((0, 1)))
    torch.testing.assert_close(scales.linear, law)


def test_data_that_do_not_move_leave_a_start_that_is_finite(small, any_bracket):
    still = torch.zeros(2, 5, 3)
    model = build_model(small("system=damped_oscillator", f"bracket={any_bracket}"), Scales.of(still, still))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


class Analytic(Net):
    """A potential that is given by its gradient, or a field that is given by its values."""

    def __init__(self, law, potential: bool = True):
        super().__init__(1, 1, potential)
        self.law, self.sites = law, []

    def forward(self, x, updates):
        return self.law(x)

    def gradient(self, x, updates):
        return self.law(x)


def exact(system_name: str, composed, by_energy, by_entropy, bracket) -> tuple[np.ndarray, np.ndarray]:
    """The field of a system's law, and that of GENERIC dynamics with these gradients, at states of one member."""
    system = component(composed(f"system={system_name}").system)
    mu = system.sample_parameters(np.random.default_rng(0))[None]
    x = system.sample_starts(np.random.default_rng(1), mu[0], 50)[None]
    x = x + 0.1 * np.random.default_rng(2).standard_normal(x.shape)
    size = system.state_dim
    zeros, ones = torch.zeros(size, dtype=torch.float64), torch.ones(size, dtype=torch.float64)
    laws = iter((by_energy(mu[0]), by_entropy))
    scales = Scales(zeros, ones, ones)
    dynamics = Generic(lambda *_: Analytic(next(laws)), scales, lambda _, n: bracket(n, mu[0])).double()
    with torch.no_grad():
        for slope in dynamics.slopes.values():
            slope.zero_()
        return system.vector_field(x, mu), dynamics.vector_field(torch.from_numpy(x), {}).numpy()


def stack(*parts: torch.Tensor) -> torch.Tensor:
    return torch.stack(torch.broadcast_tensors(*parts), dim=-1)


def test_the_damped_oscillator_lies_in_gnode_with_a_single_skew_tensor(composed):
    def by_energy(mu):
        return lambda x: stack(mu[0] * x[..., 0].sin(), x[..., 1], torch.ones_like(x[..., 2]))

    def by_entropy(x):
        return stack(0 * x[..., 0], 0 * x[..., 0], torch.ones_like(x[..., 2]))

    def bracket(size, mu):
        made = GNODE(None, size, 1, 0.3)
        with torch.no_grad():
            made.xi.fill_(1.0)
            made.skew.copy_(torch.tensor([[0.0, 0.0, 1.0]]))  # of the pairs (q, p), (q, S), (p, S)
            made.double().weight.fill_(float(np.sqrt(mu[1])))
        return made

    true, learned = exact("damped_oscillator", composed, by_energy, by_entropy, bracket)
    np.testing.assert_allclose(learned, true, rtol=1e-12, atol=1e-13)


def test_the_gas_containers_lie_in_nms(composed):
    def temperatures(x):
        q, s1, s2 = x[..., 0], x[..., 2], x[..., 3]
        return (2 / 3 * u ** (-2 / 3) * (2 * s / 3).exp() for u, s in ((q, s1), (2 - q, s2)))

    def by_energy(mu):
        def law(x):
            t1, t2 = temperatures(x)
            q = x[..., 0]
            return stack(t2 / (2 - q) - t1 / q, x[..., 1] / mu[0], t1, t2)

        return law

    def by_entropy(x):
        return stack(0 * x[..., 0], 0 * x[..., 0], torch.ones_like(x[..., 2]), torch.ones_like(x[..., 3]))

    def bracket(size, mu):
        def parts(x):
            t1, t2 = temperatures(x)
            zero, one = 0 * t1, torch.ones_like(t1)
            skew, b = (one, zero, zero, zero, zero, zero), (zero, zero, 1 / t1, -1 / t2)
            return stack(*skew, *b, one * float(np.sqrt(mu[1])))

        return NMS(lambda *_: Analytic(parts, potential=False), size, 1, 1.0)

    true, learned = exact("two_gas_containers", composed, by_energy, by_entropy, bracket)
    np.testing.assert_allclose(learned, true, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("rank", "size"), [(1, 2), (0, 4)])
def test_a_bracket_that_cannot_be_is_refused(small, any_bracket, rank, size):
    make = factory(small("system=damped_oscillator", f"bracket={any_bracket}", bracket__rank=rank).bracket)
    with pytest.raises(ValueError, match="at least 3 components and rank >= 1"):
        make(factory(small().net), size)
